import { stat } from 'node:fs/promises';
import { connectIntrospection } from '../containerd/introspection-client.ts';

/** Which containerd it is that answers. */
export interface ContainerdIdentity {
  /** Differs for each start of containerd; `undefined` while none answers. Never rejects. */
  read(): Promise<string | undefined>;
  close(): void;
}

/** Looks at the socket itself and asks containerd for its process: an upgrade changes both, each alone may be had again. */
export function containerdIdentity(socket: string): ContainerdIdentity {
  const introspection = connectIntrospection(socket);
  return {
    async read() {
      try {
        const { ino, ctimeMs } = await stat(socket);
        const { uuid, pid } = await introspection.server();
        return [ino, ctimeMs, uuid, pid].join(' ');
      } catch {
        return undefined;
      }
    },
    close: () => introspection.close(),
  };
}
