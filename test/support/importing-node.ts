import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { importCommand } from '../../shim/cli/import.ts';
import { importFolder } from '../../shim/offline/import-folder.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { TEST_FLEET, type TestVerdictKey } from './verdicts.ts';

/** A node that believes `key`; `import` answers the exit code, what was said, and what is in the folder then. */
export async function importingNode(t: TestContext, key: TestVerdictKey) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const [state, keys, file] = ['state', 'keys', 'offline.json'].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ]; // as many as went in
  await mkdir(keys);
  await writeFile(join(keys, 'one.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
  const config = join(folder.path, 'shim.yaml');
  await writeFile(config, `state: ${state}\nverdict-keys: ${keys}\nfleet: ${TEST_FLEET}\n`);
  return {
    ...{ state, keys, file, config },
    async import(content: string | Uint8Array, ...more: readonly string[]) {
      await writeFile(file, content);
      const said = t.mock.method(console, 'log', () => {});
      const complained = t.mock.method(console, 'error', () => {});
      try {
        const code = await importCommand.run([file, '--config', config, ...more]);
        const lines = [...said.mock.calls, ...complained.mock.calls].map((call) => String(call.arguments[0]));
        return { code, text: lines.join('\n'), files: await readdir(importFolder(state)).catch(() => []) };
      } finally {
        t.mock.restoreAll();
      }
    },
  };
}
