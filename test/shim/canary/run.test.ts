import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCanaries } from '../../../shim/canary/canary.ts';
import { type CanaryOutcome, colourOf } from '../../../shim/canary/outcome.ts';
import { runCanary, runOwnImage } from '../../../shim/canary/run.ts';
import { asking, type Behaviour, blocked, fakeClient } from './fake-client.ts';

const isBad = (image: string) => image.includes('/refused:');
const OTHER = (image: string) => blocked(image, 'no');
const ABSENT = '2 UNKNOWN: failed to resolve reference: not found';
const unreachable = (): never => {
  throw new Error('nobody there');
};

describe('a canary', () => {
  const canaries = createCanaries();
  const ask = asking(canaries);
  /** Our words, in an answer that the daemon was not asked for. */
  const repeat: Behaviour = (name, digest) =>
    blocked(name, `CANARY_REFUSED: ${canaries.rule({ name, digest })?.sentence}`);
  const cases: readonly (readonly [CanaryOutcome, string, Behaviour, number])[] = [
    ['green', 'containerd asks', ask, 3],
    ['bypassed', 'containerd does not ask', () => undefined, 1],
    ['bypassed', 'it asks and pulls all the same', (image, digest) => void ask(image, digest), 1],
    ['refused-by-others', 'another verifier refuses everything', OTHER, 1],
    ['refused-by-others', 'our code comes without the nonce', (image) => blocked(image, 'CANARY_REFUSED: no'), 1],
    [
      'refused-by-others',
      'the verifier can not run',
      (image) => `blocking pull of ${image} with digest sha256:0: image verifier bindir returned error: fork/exec`,
      1,
    ],
    ['pull-failed', 'the bad image is not found', () => ABSENT, 1],
    ['pull-failed', 'the good image is not found', (image, digest) => (isBad(image) ? ask(image, digest) : ABSENT), 2],
    [
      'good-refused',
      'another refuses the good one',
      (image, digest) => (isBad(image) ? ask(image, digest) : OTHER(image)),
      2,
    ],
    [
      'not-asked',
      'the good one is pulled unasked',
      (image, digest) => (isBad(image) ? ask(image, digest) : undefined),
      3,
    ],
    ['not-asked', 'our words come from elsewhere', (image, digest) => (isBad(image) ? repeat : ask)(image, digest), 3],
    ['no-client', 'there is no containerd', unreachable, 1],
  ];
  for (const [outcome, when, behaviour, steps] of cases) {
    it(`is ${outcome} when ${when}, and leaves nothing`, async () => {
      const { client, onNode, removed, sweeps } = fakeClient(behaviour);
      const result = await runCanary(canaries, client);
      assert.deepEqual([result.client, result.outcome], ['fake', outcome]);
      assert.equal(result.steps.length, steps);
      assert.deepEqual(
        result.steps.map(({ ok }) => ok),
        result.steps.map((_, index) => outcome === 'green' || index < steps - 1),
      );
      assert.equal(result.cure === '', outcome === 'green');
      assert.deepEqual([...onNode], []);
      assert.equal(removed.length, 2);
      assert.equal(sweeps(), 1);
    });
  }

  it('is no-daemon without a daemon, and not decided when too many wait; the client is not troubled', async () => {
    const { client, removed } = fakeClient(unreachable);
    const source = { open: () => Promise.reject(new Error('no portcullis shim answers')) };
    assert.equal((await runCanary(source, client)).outcome, 'no-daemon');
    const busy = createCanaries();
    const open = await busy.open();
    const waiting = Array.from({ length: 4 }, () => busy.open());
    assert.equal((await runCanary(busy, client)).outcome, 'not-decided');
    await open.close();
    for (const opening of waiting) await (await opening).close();
    assert.deepEqual(removed, []);
  });

  it('has a colour for each outcome', () => {
    assert.deepEqual(
      (['green', 'bypassed', 'not-asked', 'no-client', 'no-daemon', 'not-decided'] as const).map(colourOf),
      ['green', 'red', 'red', 'unknown', 'unknown', 'unknown'],
    );
  });
});

describe("an image of the user's", () => {
  const image = 'registry.example/app:v1';
  const says = (words: string) => () => blocked(image, words);
  const cases: readonly (readonly ['pass' | 'refuse', CanaryOutcome, string, Behaviour])[] = [
    ['pass', 'green', 'it is pulled', () => undefined],
    ['pass', 'good-refused', 'it is denied', says('UNSIGNED: no signature (portcullis explain x)')],
    ['pass', 'good-refused', 'another refuses it', OTHER],
    ['pass', 'not-decided', 'there is no backend', says('TEMPORAL_UNREACHABLE: nobody there')],
    ['pass', 'pull-failed', 'it is nowhere', () => ABSENT],
    ['refuse', 'green', 'it is denied', says('UNSIGNED: no signature')],
    ['refuse', 'bypassed', 'it is pulled', () => undefined],
    ['refuse', 'not-decided', 'it takes longer', says('STILL_VERIFYING: pull again')],
    ['refuse', 'refused-by-others', 'another refuses it', OTHER],
    ['refuse', 'pull-failed', 'it is nowhere', () => ABSENT],
    ['refuse', 'no-client', 'there is no containerd', unreachable],
  ];
  for (const [expected, outcome, when, behaviour] of cases) {
    it(`that has to ${expected} is ${outcome} when ${when}`, async () => {
      const { client, onNode } = fakeClient(behaviour);
      assert.equal((await runOwnImage(client, image, expected)).outcome, outcome);
      assert.deepEqual([...onNode], []);
    });
  }

  it('stays on the node when it was there before', async () => {
    const { client, onNode, removed } = fakeClient(() => undefined);
    onNode.add(image);
    assert.equal((await runOwnImage(client, image, 'pass')).outcome, 'green');
    assert.deepEqual([[...onNode], removed], [[image], []]);
  });
});
