/**
 * What the doctor looks at. Everything but the first two has the machine's own as its default; tests put a folder of fake
 * tools, a fake /proc and fake drivers in their place.
 */
export interface DoctorDeps {
  /** Where the native addon lies: `nativeFolder(import.meta.url)` of native/index.ts. */
  readonly nativeFolder: string;
  /** Where run bundles are written. */
  readonly runsFolder: string;
  /** Version of Dyno. */
  readonly version: string;
  /** Paths from the settings; a setting comes before PATH. */
  readonly tools?: { readonly nsys?: string; readonly ncu?: string };
  /** The Electron executable, for its version and its libraries; found in the project's cache where absent. */
  readonly electronExecutable?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly procfs?: string;
  readonly sysfs?: string;
  /** Where tools that are not on PATH usually are; `/opt/nvidia` and the like. */
  readonly toolFolders?: readonly string[];
  /** Driver libraries in the place of the system's. */
  readonly libraries?: { readonly nvml?: string; readonly cuda?: string; readonly cublasLt?: string };
  /** All checks together end within this many milliseconds (default 3000); what is not known by then says so. */
  readonly limitMs?: number;
}
