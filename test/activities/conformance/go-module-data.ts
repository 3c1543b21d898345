import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isRecord } from '../../../workflows/format/record.ts';

const COSIGN = fileURLToPath(new URL('../../../infra/tools/go/cosign', import.meta.url));

/**
 * The folder of a Go module that cosign is built from, with the test data in it. Go obtains it at the version that
 * cosign's `go.mod` pins, and checks it against the `go.sum` beside that.
 */
export async function goModuleFolder(module: string): Promise<string> {
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], {
    cwd: COSIGN,
    env: { ...process.env, GOWORK: 'off', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly' },
  });
  const answer: unknown = JSON.parse(stdout);
  if (isRecord(answer) && typeof answer['Dir'] === 'string') return answer['Dir'];
  throw new Error(`expected "go mod download" to name the folder of ${module}, it answered ${stdout}`);
}
