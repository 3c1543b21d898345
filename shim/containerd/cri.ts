import { Client, credentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { PROTO_FOLDER } from '../proto/folder.ts';
import { unaryCaller } from './unary-caller.ts';

const definitions = loadSync(`${PROTO_FOLDER}cri.proto`, {
  defaults: true,
  longs: Number,
});

/** Longer than a pull of something small, with every verifier's time in it, may take. */
const DEADLINE_MS = 60_000;

export interface CriVersion {
  readonly runtimeName: string;
  readonly runtimeVersion: string;
}

export interface CriImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
}

export interface CriStatus {
  readonly conditions: readonly { readonly type: string; readonly status: boolean; readonly message: string }[];
  /** Only when verbose: JSON texts, the CRI plugin's `config` among them. */
  readonly info: Readonly<Record<string, string>>;
}

/** What a kubelet asks of a container runtime about images. A refused call rejects with the runtime's gRPC error. */
export interface Cri {
  version(): Promise<CriVersion>;
  status(verbose: boolean): Promise<CriStatus>;
  /** The id of the image on the node. The signal ends the pull. */
  pullImage(name: string, signal?: AbortSignal): Promise<string>;
  /** Undefined when the node does not have the image. */
  imageStatus(name: string): Promise<CriImage | undefined>;
  listImages(): Promise<readonly CriImage[]>;
  removeImage(name: string): Promise<void>;
  close(): void;
}

/** A client of the CRI (v1) on a Unix socket, given by its absolute path. It connects with the first call. */
export function connectCri(address: string): Cri {
  const client = new Client(`unix://${address}`, credentials.createInsecure());
  const call = { deadlineMs: DEADLINE_MS };
  const runtime = unaryCaller(client, definitions, 'runtime.v1.RuntimeService');
  const images = unaryCaller(client, definitions, 'runtime.v1.ImageService');
  return {
    version: () => runtime<CriVersion>('Version', {}, call),
    async status(verbose) {
      type Answer = { readonly status: Pick<CriStatus, 'conditions'>; readonly info: CriStatus['info'] };
      const { status, info } = await runtime<Answer>('Status', { verbose }, call);
      return { conditions: status.conditions, info };
    },
    async pullImage(name, signal) {
      type Answer = { readonly imageRef: string };
      return (await images<Answer>('PullImage', imageSpec(name), { ...call, signal })).imageRef;
    },
    async imageStatus(name) {
      return (
        (await images<{ readonly image: CriImage | null }>('ImageStatus', imageSpec(name), call)).image ?? undefined
      );
    },
    listImages: async () => (await images<{ readonly images: readonly CriImage[] }>('ListImages', {}, call)).images,
    removeImage: async (name) => void (await images('RemoveImage', imageSpec(name), call)),
    close: () => client.close(),
  };
}

function imageSpec(name: string): object {
  return { image: { image: name } };
}
