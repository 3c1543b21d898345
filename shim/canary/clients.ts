import { execFile } from 'node:child_process';
import { connectCri } from '../containerd/cri.ts';
import { messageOf } from '../log/message-of.ts';
import { PASSED_REPOSITORY, REFUSED_REPOSITORY } from './canary.ts';

/** A way in which images get onto the node. */
export interface PullClient {
  /** As people call it. */
  readonly name: string;
  /** `undefined` when the image was pulled, else all that the client said. Rejects when there is no containerd to ask. */
  pull(image: string, signal?: AbortSignal): Promise<string | undefined>;
  /** Whether it is on the node. Rejects when that can't be found out. */
  has(image: string): Promise<boolean>;
  /** Takes the image off the node again; never rejects. */
  remove(image: string): Promise<void>;
  /** Takes off the node whatever canaries have left on it, this one or one that was killed; never rejects. */
  sweep(): Promise<void>;
  close(): void;
}

const LEFT = new RegExp(`^127\\.0\\.0\\.1:\\d{1,5}/(?:${REFUSED_REPOSITORY}|${PASSED_REPOSITORY})[:@]`);

/** The kubelet's way. */
export function criClient(socket: string): PullClient {
  const cri = connectCri(socket);
  const remove = (image: string) => cri.removeImage(image).catch(() => {});
  return {
    name: 'cri',
    async pull(image, signal) {
      try {
        await cri.pullImage(image, signal);
        return undefined;
      } catch (error) {
        if (isUnreachable(error)) throw new Error(`no CRI at ${socket}: ${messageOf(error)}`, { cause: error });
        return messageOf(error);
      }
    },
    has: async (image) => (await cri.imageStatus(image)) !== undefined,
    remove,
    async sweep() {
      const images = await cri.listImages().catch(() => []);
      for (const { repoTags, repoDigests } of images) {
        const [left] = [...repoTags, ...repoDigests].filter((name) => LEFT.test(name));
        if (left !== undefined) await remove(left);
      }
    },
    close: () => cri.close(),
  };
}

/** gRPC's UNIMPLEMENTED and UNAVAILABLE. */
function isUnreachable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 12 || error.code === 14);
}

/** A pull of a few hundred bytes, with every verifier's time in it, in ms. */
const CTR_MS = 60_000;

/** A namespace for canaries only, which goes with them. */
export const CANARY_NAMESPACE = 'portcullis-canary';

/** containerd's own command line. */
export function ctrClient(program: string, socket: string, namespace = CANARY_NAMESPACE): PullClient {
  const ctr = (args: readonly string[], signal?: AbortSignal) =>
    new Promise<{ readonly failure: string | undefined; readonly stdout: string }>((resolve, reject) => {
      const all = ['--address', socket, '--namespace', namespace, ...args];
      execFile(program, all, { timeout: CTR_MS, ...(signal && { signal }) }, (error, stdout, stderr) => {
        if (error === null) resolve({ failure: undefined, stdout });
        else if (typeof error.code === 'number' || error.killed) resolve({ failure: said(stderr, error), stdout });
        else reject(new Error(`${program} can't be run: ${error.message}`, { cause: error }));
      });
    });
  const list = async () => (await ctr(['images', 'ls', '-q'])).stdout.split('\n').filter((line) => line !== '');
  const remove = async (image: string) => void (await ctr(['images', 'rm', '--sync', image]).catch(() => {}));
  return {
    name: 'ctr',
    async pull(image, signal) {
      const { failure } = await ctr(['images', 'pull', ...(LEFT.test(image) ? ['--plain-http'] : []), image], signal);
      if (failure !== undefined && /cannot access socket|dial unix /.test(failure)) {
        throw new Error(`no containerd at ${socket}: ${failure}`);
      }
      return failure;
    },
    has: async (image) => (await list()).includes(image),
    remove,
    async sweep() {
      for (const image of await list().catch(() => [])) if (LEFT.test(image)) await remove(image);
      if (namespace === CANARY_NAMESPACE) await ctr(['namespaces', 'rm', namespace]).catch(() => {});
    },
    close() {},
  };
}

/** What it said, without the warnings of containerd that it repeats. */
function said(stderr: string, error: Error): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !/^time=.* level=warning /.test(line));
  return lines.join('\n') || error.message;
}
