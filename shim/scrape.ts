/** How long a scrape may take, in ms. */
const PATIENCE_MS = 2_000;

/** Some 200 lines of metrics, and room for many more. */
const MAX_METRICS_BYTES = 4 * 1024 * 1024;

/**
 * Reads `/metrics` at `HOST:PORT`. Any program of the node may answer there when the daemon does not hold the port, so the
 * answer is bounded, and is a hint and no proof. Rejects when there is no answer, or a longer one.
 */
export async function scrapeMetrics(address: string): Promise<string> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch(`http://${address}/metrics`, { signal, redirect: 'error' });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_METRICS_BYTES) throw new Error(`expected at most ${MAX_METRICS_BYTES} bytes, found more`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
