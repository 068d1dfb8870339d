import { z } from 'zod';

export const doctorCheck = z.object({
  id: z.string(),
  title: z.string(),
  state: z.enum(['ok', 'limited', 'missing']),
  found: z.string(),
  /** Its purpose, and how to get it. */
  advice: z.string().optional(),
});
export type DoctorCheck = z.infer<typeof doctorCheck>;

export interface MachineDescription {
  readonly gpus: readonly {
    readonly index: number;
    readonly name: string;
    /** Absent where the driver does not tell (a GPU in MIG mode, an old one). */
    readonly memory_bytes?: number;
  }[];
  /** Why there are none: "no NVIDIA driver: libnvidia-ml.so.1 not found". */
  readonly gpu_absent_reason?: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_bytes: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly runs_folder: string;
}
