import { execFile } from 'node:child_process';
import { connectCri } from '../containerd/cri.ts';

/** A way in which images get onto the node. */
export interface PullClient {
  /** As people call it. */
  readonly name: string;
  /** `undefined` when the image was pulled, else all that the client said. Rejects when there is no containerd to ask. */
  pull(image: string): Promise<string | undefined>;
  /** Takes the image off the node again; never rejects. */
  remove(image: string): Promise<void>;
  close(): void;
}

/** The kubelet's way. */
export function criClient(socket: string): PullClient {
  const cri = connectCri(socket);
  return {
    name: 'cri',
    async pull(image) {
      try {
        await cri.pullImage(image);
        return undefined;
      } catch (error) {
        if (isUnreachable(error)) throw new Error(`no CRI at ${socket}: ${String(error)}`, { cause: error });
        return String(error);
      }
    },
    remove: (image) => cri.removeImage(image).catch(() => {}),
    close: () => cri.close(),
  };
}

/** gRPC's UNIMPLEMENTED and UNAVAILABLE. */
function isUnreachable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 12 || error.code === 14);
}

/** A pull of a few hundred bytes, with every verifier's time in it, in ms. */
const CTR_MS = 60_000;

/** containerd's own command line, in a namespace of its own. */
export function ctrClient(program: string, socket: string): PullClient {
  const ctr = (...args: readonly string[]) =>
    new Promise<string | undefined>((resolve, reject) => {
      const all = ['--address', socket, '--namespace', 'portcullis-canary', ...args];
      execFile(program, all, { timeout: CTR_MS }, (error, _stdout, stderr) => {
        if (error === null) resolve(undefined);
        else if (typeof error.code === 'number') resolve(stderr || error.message);
        else reject(new Error(`${program} can't be run: ${error.message}`, { cause: error }));
      });
    });
  return {
    name: 'ctr',
    pull: (image) => ctr('images', 'pull', '--plain-http', image),
    remove: (image) =>
      ctr('images', 'rm', '--sync', image).then(
        () => {},
        () => {},
      ),
    close() {},
  };
}
