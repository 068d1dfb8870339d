/** How the GPUs of this machine are wired, in words; what the driver does not tell is undefined. */
export interface MachineTopology {
  readonly driver: string | undefined;
  readonly gpus: readonly {
    readonly index: number;
    readonly name: string;
    readonly pci: string | undefined;
    /** `gen 5×16 of gen 5×16`: now, of what it can. */
    readonly pcie: string | undefined;
    /** Node of the processors nearest to it. */
    readonly numa: number | undefined;
    /** A Linux cpulist. */
    readonly processors: string | undefined;
    readonly nvlinks: number;
    /** MIG instances by name. */
    readonly instances: readonly string[];
  }[];
  readonly links: readonly TopologyLink[];
  /** Distances between processor nodes; 10 is the node itself. */
  readonly numa: readonly { readonly node: number; readonly distances: readonly number[] }[];
}

export interface TopologyLink {
  readonly from: number;
  readonly to: number;
  /** `18 NVLink`, or the nearest common point on PCIe. */
  readonly link: string;
  readonly nvlinks: number;
  readonly path: string | undefined;
  /** Peer access: `yes`, `no (…)`, `not told`. */
  readonly peer: string;
  /** Nominal, each way, all links together. */
  readonly bytes_per_s: number | undefined;
}
