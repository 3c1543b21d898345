import { Client, type ClientReadableStream, credentials, status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';
import { type Digest, parseDigest } from '../../workflows/format/digest.ts';
import type { PullRequest } from '../decision.ts';
import { OPEN_CANARY_METHOD, type WireCanaryEvent, type WireCanaryImage } from '../proto/schema.ts';
import { CanaryBusy, type CanarySource, type OpenCanary } from './canary.ts';

/** As long as the daemon lends, and waits for who came before, in ms. */
const DEADLINE_MS = 180_000;

/** The daemon tells of a question before it answers; for its word to come by another way, in ms. */
const WORD_MS = 2_000;

/** The canaries of the daemon that answers at this socket. */
export function lentCanaries(socketPath: string): CanarySource {
  return {
    open() {
      const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
      const stream = client.makeServerStreamRequest<object, WireCanaryEvent>(
        ...([OPEN_CANARY_METHOD.path, OPEN_CANARY_METHOD.requestSerialize] as const),
        (bytes) => OPEN_CANARY_METHOD.responseDeserialize(bytes) as WireCanaryEvent, // what node.proto says
        ...([{}, { deadline: Date.now() + DEADLINE_MS }] as const),
      );
      return new Promise((resolve, reject) => {
        const asked = new Set<string>();
        stream.on('data', ({ images, asked: digest }: WireCanaryEvent) => {
          if (digest !== '') asked.add(digest);
          const [bad, good] = [requestOf(images?.bad), requestOf(images?.good)];
          if (images === null || bad === undefined || good === undefined) return;
          resolve({ bad, good, nonce: images.nonce, ...open(client, stream, asked) });
        });
        stream.on('error', (error: ServiceError) => {
          client.close();
          reject(toError(error, socketPath)); // nothing, once it is resolved
        });
        stream.on('end', () => reject(new Error(`the daemon at ${socketPath} lent nothing`)));
      });
    },
  };
}

function open(
  client: Client,
  stream: ClientReadableStream<WireCanaryEvent>,
  asked: ReadonlySet<string>,
): Pick<OpenCanary, 'wasAsked' | 'close'> {
  return {
    wasAsked: (digest: Digest) =>
      new Promise((resolve) => {
        if (asked.has(digest)) return resolve(true);
        const done = () => {
          clearTimeout(timer);
          stream.off('data', look);
          resolve(asked.has(digest));
        };
        const look = () => asked.has(digest) && done();
        const timer = setTimeout(done, WORD_MS);
        stream.on('data', look);
      }),
    async close() {
      stream.cancel();
      client.close();
    },
  };
}

function requestOf(image: WireCanaryImage | null | undefined): PullRequest | undefined {
  const digest = parseDigest(image?.digest ?? '');
  return image === null || image === undefined || digest === undefined ? undefined : { name: image.name, digest };
}

function toError(error: ServiceError, socketPath: string): Error {
  switch (error.code) {
    case GrpcStatus.RESOURCE_EXHAUSTED:
      return new CanaryBusy(error.details);
    case GrpcStatus.UNIMPLEMENTED:
      return new Error(`the daemon at ${socketPath} is older than this command and has no canary`);
    case GrpcStatus.UNAVAILABLE:
      if (/\bEACCES\b/.test(error.details)) {
        return new Error(`the daemon at ${socketPath} answers its own user only; run this as root`);
      }
      return new Error(`no portcullis shim answers at ${socketPath}`);
    default:
      return new Error(error.details);
  }
}
