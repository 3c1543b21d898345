import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RELEASE_KEY } from '../../infra/stack/house.ts';
import { type PushedImage, pushImage } from '../support/image.ts';
import { assertAllowed, assertRefused, startTestHouse, type TestHouse } from '../support/pull.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';
import type { Fault } from '../support/registry-fault.ts';

let registry: FakeRegistry;
let house: TestHouse;
before(async () => {
  registry = await startFakeRegistry();
  house = await startTestHouse({ registry });
});
after(() => house.stop());

async function pushSigned(): Promise<PushedImage> {
  const image = await pushImage({
    registry: registry.address,
    repository: 'demo/app',
    tag: randomUUID(),
    files: { unique: randomUUID() },
  });
  await house.cosign.sign(`${registry.address}/demo/app@${image.digest}`, RELEASE_KEY);
  return image;
}

/** How a registry fails, and the code of the refusal. The signed image is let in once it works again. */
const FAULTS: readonly [string, Fault['effect'], string][] = [
  ['429', { kind: 'status', status: 429 }, 'REGISTRY_THROTTLED'],
  ['500', { kind: 'status', status: 500 }, 'REGISTRY_ERROR'],
  ['401', { kind: 'status', status: 401 }, 'REGISTRY_UNAUTHORIZED'],
  ['one byte a second', { kind: 'drip' }, 'REGISTRY_TIMEOUT'],
  ['no answer at all', { kind: 'hang' }, 'REGISTRY_TIMEOUT'],
  ['a cut connection', { kind: 'reset' }, 'REGISTRY_UNREACHABLE'],
];

describe('a registry that answers', () => {
  for (const [what, effect, code] of FAULTS) {
    it(`${what} refuses the pull as ${code}, and the image is let in when it works again`, async () => {
      const image = await pushSigned();
      registry.setFault({ effect });
      try {
        assertRefused(await house.pull(image.name, image.digest), code);
      } finally {
        registry.setFault(undefined);
      }
      await eventuallyAllowed(image);
    });
  }
});

describe('a registry that answers 503 for twenty seconds', () => {
  it('refuses the first pull in time, naming the workflow, which goes on: the second pull passes at once', async () => {
    const image = await pushSigned();
    registry.setFault({ effect: { kind: 'status', status: 503 }, forMs: 20_000 });
    const first = await house.pull(image.name, image.digest);
    assertRefused(first, 'REGISTRY_ERROR');
    assert.match(first.stdout, new RegExp(`STILL_VERIFYING: [^\\n]*verify/${image.name}@${image.digest}/`));
    await delay(20_000);
    const asked = registry.requests.length;
    await eventuallyQuiet(() => registry.requests.length, asked);
    const before = registry.requests.length;
    assertAllowed(await house.pull(image.name, image.digest));
    assert.equal(registry.requests.length, before, 'the second pull asked the registry again');
  });
});

/** Waits until a count has moved on from `from` and then stood still for a second. */
async function eventuallyQuiet(count: () => number, from: number): Promise<void> {
  for (let i = 0, last = -1; i < 30 && (count() === from || count() !== last); i++) {
    last = count();
    await delay(1_000);
  }
}

/** The next pulls find the answer; none of them may be refused for another reason than that it takes time. */
async function eventuallyAllowed(image: PushedImage): Promise<void> {
  for (let i = 0; i < 5; i++) {
    const run = await house.pull(image.name, image.digest);
    if (run.exitCode === 0) return assertAllowed(run);
    await delay(1_500);
  }
  assert.fail(`${image.name} was not let in after the registry worked again`);
}
