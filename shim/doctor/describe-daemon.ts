import { Client, credentials, status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';
import { messageOf } from '../log/message-of.ts';
import { DESCRIBE_METHOD, type WireDescription } from '../proto/schema.ts';

/** For the daemon to load its gRPC service and to answer, in ms. */
const PATIENCE_MS = 3_000;

/**
 * Asks the daemon at this socket what it knows of itself. Answers a sentence when it does not tell, and `undefined` for a
 * daemon of a release that has no such answer.
 */
export async function describeDaemon(socketPath: string): Promise<WireDescription | string | undefined> {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  try {
    return await ask(client);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === GrpcStatus.UNIMPLEMENTED) return undefined;
    return messageOf(error);
  } finally {
    client.close();
  }
}

function ask(client: Client): Promise<WireDescription> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      DESCRIBE_METHOD.path,
      DESCRIBE_METHOD.requestSerialize,
      (bytes) => DESCRIBE_METHOD.responseDeserialize(bytes) as WireDescription, // what node.proto says
      {},
      { deadline: Date.now() + PATIENCE_MS },
      (error: ServiceError | null, told) => {
        if (error === null && told !== undefined) resolve(told);
        else reject(error ?? new Error('it answered nothing'));
      },
    );
  });
}
