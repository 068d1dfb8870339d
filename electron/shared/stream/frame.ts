/**
 * The event stream of a runner, frame after frame:
 *
 *   ┌──────────────┬────────────┬──────────────────────┬──────────────────────────────┐
 *   │ header bytes │ body bytes │ header: JSON, padded │ body: columns, 8-byte aligned │
 *   │ u32          │ u32        │ with spaces to 8     │                              │
 *   └──────────────┴────────────┴──────────────────────┴──────────────────────────────┘
 *
 * Little-endian. A frame is read into one buffer of its own, so its columns are views, not copies.
 */
export const frameHeadBytes = 8;
export const maxHeaderBytes = 64 * 1024 * 1024;
export const maxBodyBytes = 1024 * 1024 * 1024;

export const align8 = (bytes: number): number => (bytes + 7) & ~7;

export class StreamError extends Error {
  override readonly name = 'StreamError';
}
