import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Client, MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { protoPath as HEALTH_PROTO } from 'grpc-health-check';

const OPTIONS = { enums: String, longs: Number, defaults: true, oneofs: true };
const health = loadSync(HEALTH_PROTO, OPTIONS);
const reflection = loadSync(
  join(
    dirname(createRequire(import.meta.url).resolve('@grpc/reflection')),
    '../proto/grpc/reflection/v1/reflection.proto',
  ),
  OPTIONS,
);

function methodOf(schema: PackageDefinition, service: string, name: string): MethodDefinition<object, object> {
  const found = schema[service];
  if (found === undefined || 'format' in found || found[name] === undefined) throw new Error(`no ${service}/${name}`);
  return found[name];
}

/** Asks the standard health service once, for a service or, with '', for all of the server. */
export async function checkHealth(client: Client, service = ''): Promise<string> {
  const { path, requestSerialize, responseDeserialize } = methodOf(health, 'grpc.health.v1.Health', 'Check');
  return await new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, response) => {
      if (error === null) resolve(statusOf(response));
      else reject(error);
    });
  });
}

/** Follows the standard health service: `next` is each status in turn. */
export function followHealth(client: Client): { next(): Promise<string> } {
  const { path, requestSerialize, responseDeserialize } = methodOf(health, 'grpc.health.v1.Health', 'Watch');
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: '' });
  const told: string[] = [];
  stream.on('data', (response: unknown) => {
    told.push(statusOf(response));
    stream.emit('told');
  });
  stream.on('error', () => {}); // ends with the server
  return {
    async next() {
      while (told.length === 0) await once(stream, 'told');
      return told.shift() ?? '';
    },
  };
}

function statusOf(response: unknown): string {
  return typeof response === 'object' && response !== null && 'status' in response ? String(response.status) : '';
}

/** The names of all services, by the standard reflection service (grpc.reflection.v1). */
export async function listServices(client: Client): Promise<readonly string[]> {
  const service = 'grpc.reflection.v1.ServerReflection';
  const { path, requestSerialize, responseDeserialize } = methodOf(reflection, service, 'ServerReflectionInfo');
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  stream.write({ listServices: '*' });
  const [response] = await once(stream, 'data');
  stream.on('error', () => {}); // the answer is there; a server may go before the stream has ended
  stream.end();
  const { listServicesResponse } = response as { listServicesResponse: { service: { name: string }[] } }; // reflection.proto
  return listServicesResponse.service.map(({ name }) => name);
}
