import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Connection } from '@temporalio/client';
import { type RegistryKind, startRegistry } from '../../../infra/stack/registry.ts';
import { startTemporal, type Temporal } from '../../../infra/stack/temporal.ts';
import { ATTRIBUTES } from '../../../workflows/search-attributes.ts';
import { pushImage } from '../../support/image.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('the Temporal server', () => {
  it('has the web UI and the search attributes, and comes back on its ports with what it knew', async () => {
    await using folder = await temporaryFolder();
    const dbFile = join(folder.path, 'temporal.db');
    const first = await startTemporal({ dir: folder.path, dbFile });
    try {
      const { uiUrl } = first;
      assert.ok(uiUrl !== undefined);
      const page = await fetch(`${uiUrl}/namespaces/default/workflows`);
      assert.match(await page.text(), /<html/);
      await checkAttributes(first);
      await startWorkflow(first, 'kept');
    } finally {
      await first.stop();
    }
    await assert.rejects(Connection.connect({ address: first.address, connectTimeout: 500 }));

    const second = await startTemporal({ dir: folder.path, dbFile, port: first.port, uiPort: first.uiPort });
    try {
      assert.equal(second.address, first.address);
      await checkAttributes(second);
      assert.equal(await nameOfWorkflow(second, 'kept'), 'example');
    } finally {
      await second.stop();
    }
  });

  it('has no web UI when headless', async () => {
    await using folder = await temporaryFolder();
    const temporal = await startTemporal({ dir: folder.path, headless: true });
    try {
      assert.equal(temporal.uiUrl, undefined);
      await assert.rejects(fetch(`http://127.0.0.1:${temporal.uiPort}`));
    } finally {
      await temporal.stop();
    }
  });
});

describe('the registries', () => {
  const REFERRERS_STATUS: Readonly<Record<RegistryKind, number>> = { distribution: 404, referrers: 200 };
  for (const kind of ['distribution', 'referrers'] as const) {
    it(`${kind}: takes an image, and answers the referrers API with ${REFERRERS_STATUS[kind]}`, async () => {
      await using folder = await temporaryFolder();
      const registry = await startRegistry({ dir: folder.path, kind });
      try {
        const image = await pushImage({ registry: registry.address, repository: 'team/app', tag: 'v1' });
        const base = `http://${registry.address}/v2/team/app`;
        const manifest = await fetch(`${base}/manifests/v1`, {
          headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
        });
        assert.equal(manifest.headers.get('docker-content-digest'), image.digest);
        assert.equal((await fetch(`${base}/referrers/${image.digest}`)).status, REFERRERS_STATUS[kind]);
      } finally {
        await registry.stop();
      }
      await assert.rejects(fetch(`http://${registry.address}/v2/`));
    });
  }
});

async function checkAttributes({ address, namespace }: Temporal): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const registered = Object.keys(customAttributes);
    for (const { name } of Object.values(ATTRIBUTES)) assert.ok(registered.includes(name), `${name} is registered`);
  } finally {
    await connection.close();
  }
}

async function startWorkflow({ address, namespace }: Temporal, workflowId: string): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    await connection.workflowService.startWorkflowExecution({
      namespace,
      workflowId,
      requestId: workflowId,
      workflowType: { name: 'example' },
      taskQueue: { name: 'nobody-listens' },
    });
  } finally {
    await connection.close();
  }
}

async function nameOfWorkflow({ address, namespace }: Temporal, workflowId: string): Promise<string | undefined> {
  const connection = await Connection.connect({ address });
  try {
    const execution = { workflowId };
    const found = await connection.workflowService.describeWorkflowExecution({ namespace, execution });
    return found.workflowExecutionInfo?.type?.name ?? undefined;
  } finally {
    await connection.close();
  }
}
