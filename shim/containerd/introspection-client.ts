import { Client, credentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { PROTO_FOLDER } from '../proto/folder.ts';
import { unaryCaller } from './unary-caller.ts';

const definitions = loadSync(['introspection.proto', 'containerd-version.proto'], {
  includeDirs: [PROTO_FOLDER],
  defaults: true,
  longs: Number,
});

/** It answers from memory; in ms. */
const DEADLINE_MS = 5_000;

/** A running containerd: two that differ in one of these are not the same. */
export interface ContainerdServer {
  /** Of its state folder; stays when it is started again. */
  readonly uuid: string;
  readonly pid: number;
}

/** A plugin that this containerd has loaded, or tried to. One that is disabled is not among them. */
export interface LoadedPlugin {
  /** As in a configuration: `io.containerd.image-verifier.v1.bindir`. */
  readonly id: string;
  /** Why it can't be used; a plugin that was skipped has one as well. */
  readonly initError: string | undefined;
  readonly exports: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
}

/** What the containerd that runs tells of itself, and no file. A call that fails rejects with its gRPC error. */
export interface Introspection {
  version(): Promise<{ readonly version: string; readonly revision: string }>;
  server(): Promise<ContainerdServer>;
  plugins(): Promise<readonly LoadedPlugin[]>;
  close(): void;
}

interface WirePlugin extends Omit<LoadedPlugin, 'initError'> {
  readonly type: string;
  readonly initErr: { readonly message: string } | null;
}

/** A client of containerd's own API on its Unix socket, given by its absolute path. It connects with the first call. */
export function connectIntrospection(address: string): Introspection {
  const client = new Client(`unix://${address}`, credentials.createInsecure());
  const introspection = unaryCaller(client, definitions, 'containerd.services.introspection.v1.Introspection');
  const version = unaryCaller(client, definitions, 'containerd.services.version.v1.Version');
  const options = { deadlineMs: DEADLINE_MS };
  return {
    version: () => version('Version', {}, options),
    async server() {
      const { uuid, pid } = await introspection<ContainerdServer>('Server', {}, options);
      return { uuid, pid };
    },
    async plugins() {
      const { plugins } = await introspection<{ readonly plugins: readonly WirePlugin[] }>('Plugins', {}, options);
      return plugins.map(({ type, id, initErr, exports, capabilities }) => ({
        ...{ id: `${type}.${id}`, initError: initErr?.message, exports, capabilities },
      }));
    },
    close: () => client.close(),
  };
}
