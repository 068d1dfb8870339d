import { z } from 'zod';

/** What the topology probe keeps in its summary beside times. */
export const probeFindings = z.object({
  kind: z.literal('topology'),
  /** As CUDA numbers them. */
  gpus: z.array(
    z.object({
      index: z.number(),
      name: z.string(),
      pciAddress: z.string(),
      /** Of the processors nearest to it; absent where the system has one node or does not tell. */
      numaNode: z.number().optional(),
      /** A Linux cpulist. */
      cpuAffinity: z.string().optional(),
    }),
  ),
  /** Distances of the NUMA nodes, row by row, as the firmware tells them (10 is local). */
  numaDistances: z.array(z.object({ node: z.number(), distances: z.array(z.number()) })),
  links: z.array(
    z.object({
      /** `host` or `gpu 0` */
      from: z.string(),
      to: z.string(),
      variant: z.string(),
      /** Median of the measured rounds; absent where none was measured. */
      bytesPerSecond: z.number().optional(),
      /** How the bytes went: pageable, page-locked, through host memory, peer access. */
      how: z.string(),
      /** Links of NVLink between the two; absent where NVML does not tell. */
      nvlinks: z.number().optional(),
    }),
  ),
});
export type ProbeFindings = z.infer<typeof probeFindings>;
