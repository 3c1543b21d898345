import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { PROTO_FOLDER } from '../proto/folder.ts';

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
  /** The id of the image on the node. */
  pullImage(name: string): Promise<string>;
  /** Undefined when the node does not have the image. */
  imageStatus(name: string): Promise<CriImage | undefined>;
  listImages(): Promise<readonly CriImage[]>;
  removeImage(name: string): Promise<void>;
  close(): void;
}

/** A client of the CRI (v1) on a Unix socket, given by its absolute path. It connects with the first call. */
export function connectCri(address: string): Cri {
  const client = new Client(`unix://${address}`, credentials.createInsecure());
  const runtime = caller(client, 'runtime.v1.RuntimeService');
  const images = caller(client, 'runtime.v1.ImageService');
  return {
    version: () => runtime<CriVersion>('Version', {}),
    status: async (verbose) => {
      const { status, info } = await runtime<{ readonly status: Omit<CriStatus, 'info'> } & Pick<CriStatus, 'info'>>(
        'Status',
        { verbose },
      );
      return { conditions: status.conditions, info };
    },
    pullImage: async (name) => (await images<{ readonly imageRef: string }>('PullImage', imageSpec(name))).imageRef,
    imageStatus: async (name) =>
      (await images<{ readonly image: CriImage | null }>('ImageStatus', imageSpec(name))).image ?? undefined,
    listImages: async () => (await images<{ readonly images: readonly CriImage[] }>('ListImages', {})).images,
    removeImage: async (name) => void (await images('RemoveImage', imageSpec(name))),
    close: () => client.close(),
  };
}

function imageSpec(name: string): object {
  return { image: { image: name } };
}

/** Calls methods of one service. The caller names the response type that cri.proto gives the method. */
function caller(client: Client, serviceName: string) {
  const service = definitions[serviceName];
  if (service === undefined || 'format' in service) throw new Error(`expected the service ${serviceName} in cri.proto`);
  const methods: ServiceDefinition = service;
  return <Response extends object>(methodName: string, request: object): Promise<Response> => {
    const method = methods[methodName];
    if (method === undefined) throw new Error(`expected the method ${methodName} in ${serviceName}`);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<object, object>(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        { deadline: Date.now() + DEADLINE_MS },
        (error: ServiceError | null, response?: object) => {
          // proto-loader has decoded it by the method's message in cri.proto, which the type argument repeats.
          if (error === null && response !== undefined) resolve(response as Response);
          else reject(error ?? new Error(`${methodName} answered nothing`));
        },
      );
    });
  };
}
