import type { HostClient } from './hostClient.ts';
import { RunData } from './runData.ts';

/** The run id in frames of the machine's own stream. */
const machineRun = 'machine';

/** The GPUs of this machine now, whatever run is shown. Frames are acknowledged by the live session, as all frames are. */
export class MachineStream {
  data = new RunData(machineRun);
  private readonly client: HostClient;
  private readonly listeners = new Set<() => void>();
  private isWatching = false;

  constructor(client: HostClient) {
    this.client = client;
    client.onEvent((event) => {
      if (event.event !== 'frame' || event.run !== machineRun) return;
      this.data.apply(event);
      for (const listener of this.listeners) listener();
    });
    client.onConnect(() => {
      if (this.isWatching) this.begin();
    });
  }

  /** Called once there is a GPU to watch. */
  watch(): void {
    if (this.isWatching) return;
    this.isWatching = true;
    this.begin();
  }

  /** Returns the unsubscribe. */
  onData(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A host that is new counts its time and keys anew. */
  private begin(): void {
    this.data = new RunData(machineRun);
    void this.client
      .request('machine.watch', { on: true })
      .catch((thrown: unknown) => this.client.note(thrown));
  }
}
