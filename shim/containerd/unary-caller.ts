import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { PackageDefinition, ServiceDefinition } from '@grpc/proto-loader';

/** How long a call may take, in ms, and what ends it earlier. */
export interface CallOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Calls methods of one service. The caller names the response type that the proto file gives the method. */
export function unaryCaller(client: Client, definitions: PackageDefinition, serviceName: string) {
  const service = definitions[serviceName];
  // proto-loader tells services from messages by the `format` field that only messages have
  if (service === undefined || 'format' in service) throw new Error(`expected the service ${serviceName}`);
  const methods: ServiceDefinition = service;
  return <Response extends object>(methodName: string, request: object, options: CallOptions): Promise<Response> => {
    const method = methods[methodName];
    if (method === undefined) throw new Error(`expected the method ${methodName} in ${serviceName}`);
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest<object, object>(
        ...([method.path, method.requestSerialize, method.responseDeserialize] as const),
        ...([request, new Metadata(), { deadline: Date.now() + options.deadlineMs }] as const),
        (error: ServiceError | null, response?: object) => {
          options.signal?.removeEventListener('abort', cancel);
          // proto-loader has decoded it by the method's message, which the type argument repeats.
          if (error === null && response !== undefined) resolve(response as Response);
          else reject(error ?? new Error(`${methodName} answered nothing`));
        },
      );
      const cancel = () => call.cancel();
      options.signal?.addEventListener('abort', cancel, { once: true });
      if (options.signal?.aborted === true) cancel();
    });
  };
}
