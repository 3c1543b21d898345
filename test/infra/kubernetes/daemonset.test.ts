import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';

const read = (name: string) => readFileSync(new URL(`../../../infra/kubernetes/${name}`, import.meta.url), 'utf8');

describe('the DaemonSet', () => {
  const documents = parseAllDocuments(read('daemonset.yaml')).map((document) => {
    assert.deepEqual([...document.errors, ...document.warnings], []);
    return document.toJS() as Record<string, unknown>; // what the file says is looked at below
  });

  it('gives the script the files that it knows, and the host that it changes', () => {
    const [, config, set] = documents;
    const script = read('install-on-host.sh');
    const [, names = ''] = /for name in (.*); do/.exec(script) ?? [];
    assert.deepEqual(Object.keys(config?.['data'] ?? {}).toSorted(), names.split(' ').toSorted());
    assert.partialDeepStrictEqual(set, {
      kind: 'DaemonSet',
      spec: {
        updateStrategy: { rollingUpdate: { maxUnavailable: 1 } },
        template: { spec: { hostPID: true, volumes: [{ name: 'host', hostPath: { path: '/' } }, { name: 'node' }] } },
      },
    });
  });

  it('runs what its image has', () => {
    const dockerfile = read('Dockerfile');
    assert.match(dockerfile, /^COPY dist\/node \/release$/m);
    assert.match(dockerfile, /^COPY infra\/kubernetes\/install-on-host\.sh \/install-on-host$/m);
    assert.match(JSON.stringify(documents[2]), /\/install-on-host && touch \/installed/);
  });
});
