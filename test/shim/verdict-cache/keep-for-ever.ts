import { writeSync } from 'node:fs';
import { openVerdictCache } from '../../../shim/memory/verdict-cache/open.ts';
import { anAllow } from '../../support/verdicts.ts';

/** Keeps one verdict after the other until it is killed, and prints the name of each when it is kept. */
const cache = openVerdictCache(String(process.argv[2]));
for (let index = 0; ; index++) {
  const name = `killed:v${process.pid}-${index}`;
  const { digest, policyRevision, ...verdict } = anAllow({ name: `127.0.0.1:5000/demo/${name}` });
  const envelope = { payloadType: 'test', payload: 'A'.repeat(2_000), signatures: [] };
  cache.keep({ name: verdict.name, digest, policyRevision }, envelope, Date.now() + 60_000);
  writeSync(1, `${name}\n`);
}
