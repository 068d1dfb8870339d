/** How much a capture records. More costs more time and perturbs more. */
export type CaptureProfile = 'minimal' | 'roofline' | 'deep_dive' | 'full';
export const captureProfiles: readonly CaptureProfile[] = ['minimal', 'roofline', 'deep_dive', 'full'];

/** Describes each profile in the window and in `--help`: the question it answers, and its effect on the run. */
export const profileText: Readonly<Record<CaptureProfile, { readonly nsys: string; readonly ncu: string }>> =
  {
    minimal: {
      nsys: 'kernels, CUDA calls and NVTX ranges; a few per cent slower',
      ncu: 'time and bytes of each kernel: one pass (8 metrics with the tensor work of GEMMs)',
    },
    roofline: {
      nsys: 'minimal, and each kernel inside CUDA graphs: graph launches get slower',
      ncu: 'all levels and precisions of the roofline: 22 metrics, 4 passes counted on GH100',
    },
    deep_dive: {
      nsys: 'roofline, and GPU metrics at 10 kHz (needs permission; one counter client per GPU)',
      ncu: 'ncu’s own detailed set: about 900 metrics, tens of passes',
    },
    full: {
      nsys: 'deep dive, and operating-system calls, CUDA memory use and CPU samples',
      ncu: 'ncu’s full set with source: about 7,800 metrics; replays each kernel many times',
    },
  };
