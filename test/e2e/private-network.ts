import { createServer, type RequestListener } from 'node:http';
import { EvidenceError } from '../../activities/evidence-error.ts';
import { createConnections, useConnections } from '../../activities/http/connections.ts';
import { anonymous } from '../../activities/registry/credentials/credential.ts';
import { createRegistry } from '../../activities/registry/registry.ts';
import { digestOf } from '../support/verdicts.ts';

/** Runs in a network namespace whose loopback device has these addresses; prints what became of a blob of each registry. */
const ADDRESSES: Readonly<Record<string, string>> = {
  'registry.corp': '10.77.0.1',
  'storage.corp': '10.77.0.2',
  'auth.corp': '10.77.0.2',
  'registry.example': '8.8.8.8',
  'cdn.example': '8.8.4.4',
  localhost: '127.0.0.1',
};

/** Answered one after the other; the last one stays. */
const moving = ['8.8.8.8', '10.77.0.1'];

const signal = AbortSignal.timeout(20_000);
const digest = digestOf('ab');
const seen: string[] = [];
/** Where the registries send the next request, or the challenge with which they answer it. */
let answer: { readonly location: string } | { readonly realm: string };

const port = 5000;
await serve('10.77.0.1', (_, response) => refer(response));
await serve('8.8.8.8', (_, response) => refer(response));
await serve('10.77.0.2', (request, response) => {
  seen.push(`private ${request.url?.split('?')[0]}`);
  response.end(JSON.stringify({ token: 'abc' }));
});
await serve('127.0.0.1', (_, response) => response.end(String(seen.push('loopback'))));
await serve('8.8.4.4', (request, response) => {
  const realm = 'Bearer realm="http://auth.corp:5000/token",scope="repository:x:pull"';
  if (request.url === '/challenge') response.writeHead(401, { 'www-authenticate': realm }).end();
  else response.writeHead(307, { location: 'http://storage.corp:5000/detour' }).end();
});

useConnections(
  createConnections((hostname, { all }, callback) => {
    const address = hostname === 'moving.example' ? (moving.length > 1 ? moving.shift() : moving[0]) : undefined;
    const found = { address: address ?? ADDRESSES[hostname] ?? '192.0.2.1', family: 4 };
    if (all === true) callback(null, [found]);
    else callback(null, found.address, found.family);
  }),
);

const results: Record<string, string> = {};
for (const [registry, what, next] of [
  ['registry.corp', 'storage', { location: 'http://storage.corp:5000/blob' }],
  ['registry.corp', 'realm', { realm: 'http://auth.corp:5000/token' }],
  ['registry.corp', 'loopback', { location: 'http://localhost:5000/' }],
  ['registry.corp', 'detour', { location: 'http://cdn.example:5000/' }],
  ['registry.corp', 'challenge of another', { location: 'http://cdn.example:5000/challenge' }],
  ['registry.example', 'storage', { location: 'http://storage.corp:5000/blob' }],
  ['registry.example', 'realm', { realm: 'http://auth.corp:5000/token' }],
] as const) {
  answer = next;
  results[`${registry}: ${what}`] = await ask(registry);
}
answer = { location: 'http://storage.corp:5000/blob' };
// The first two requests come at once, so that there is a connection to either address.
const both = await Promise.all([ask('moving.example'), ask('moving.example')]);
results['moving.example: storage'] = [...new Set([...both, await ask('moving.example')])].join(', ');
process.stdout.write(JSON.stringify(results));
process.exit();

async function ask(host: string): Promise<string> {
  const before = seen.length;
  const name = { registry: `${host}:${port}`, repository: 'demo/app' };
  const reader = createRegistry({ credentials: anonymous, plainHttp: [name.registry] });
  const error: unknown = await reader.getBlob(name, digest, signal).catch((failure: unknown) => failure);
  const code = error instanceof EvidenceError ? error.code : String(error);
  return seen.length > before ? seen.slice(before).join(', ') : code;
}

function refer(response: Parameters<RequestListener>[1]): void {
  if ('location' in answer) response.writeHead(307, { location: answer.location }).end();
  else response.writeHead(401, { 'www-authenticate': `Bearer realm="${answer.realm}"` }).end();
}

function serve(host: string, listener: RequestListener): Promise<void> {
  return new Promise((resolve) => createServer(listener).listen(port, host, resolve));
}
