import { Agent, get } from 'node:http';

/** How long a scrape may take, in ms. */
const PATIENCE_MS = 2_000;

/** Some 200 lines of metrics, and room for many more. */
const MAX_METRICS_BYTES = 4 * 1024 * 1024;

/**
 * Reads `/metrics` at `HOST:PORT`, through no proxy. Any program of the node may answer there when the daemon does not hold the
 * port, so the answer is bounded, and is a hint and no proof. Rejects when there is no answer, or a longer one.
 */
export async function scrapeMetrics(address: string): Promise<string> {
  const agent = new Agent(); // unlike the global one it follows no proxy of the environment
  try {
    return await read(address, agent);
  } finally {
    agent.destroy();
  }
}

function read(address: string, agent: Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = get(`http://${address}/metrics`, { agent, signal: AbortSignal.timeout(PATIENCE_MS) }, (response) => {
    response.on('error', reject);
    const fail = (problem: string) => {
      reject(new Error(problem));
      request.destroy();
    };
    if (response.statusCode !== 200) return fail(`HTTP ${response.statusCode}`);
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_METRICS_BYTES) fail(`expected at most ${MAX_METRICS_BYTES} bytes, found more`);
      else chunks.push(chunk);
    });
    response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
  request.on('error', reject);
  return promise;
}
