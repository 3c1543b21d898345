import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createCanaries } from '../../../shim/canary/canary.ts';
import { containerdIdentity } from '../../../shim/canary/identity.ts';
import { type CanaryState, watchCanary } from '../../../shim/canary/watch.ts';
import { createLog } from '../../../shim/log/log.ts';
import { asking, type Behaviour, fakeClient } from './fake-client.ts';

/** A watched node whose containerd can be exchanged. */
function watched(everyMs: number, behaviour: (canaries: ReturnType<typeof createCanaries>) => Behaviour) {
  const canaries = createCanaries();
  const lines: string[] = [];
  const node: { id: string | undefined; pull: Behaviour; closed: number } = {
    ...{ id: undefined, pull: behaviour(canaries), closed: 0 },
  };
  const fake = fakeClient((image, digest) => node.pull(image, digest));
  const client = { ...fake.client, close: () => void node.closed++ };
  const identity = { read: async () => node.id, close: () => void node.closed++ };
  const log = createLog((line) => lines.push(line));
  const watch = watchCanary({ source: canaries, client, identity, everyMs, lookMs: 2 }, log);
  const said = () => lines.map((line) => JSON.parse(line) as { level: string; message: string; outcome?: string });
  const until = async (holds: (state: CanaryState) => boolean) => {
    while (!holds(watch.state())) await delay(2);
  };
  return { ...{ node, fake, watch, canaries, said, until } };
}

const HOUR_MS = 3_600_000;
const total = ({ outcomes }: CanaryState) => [...outcomes.values()].reduce((sum, count) => sum + count, 0);

describe('the canary of a daemon', () => {
  it('comes when containerd does, and again when it is another one', async () => {
    const { node, watch, canaries, said, until } = watched(HOUR_MS, asking);
    await delay(30);
    assert.deepEqual([watch.state().green, watch.state().at, total(watch.state())], [undefined, 0, 0]);
    node.id = 'one';
    await until((state) => state.green === true);
    await delay(30);
    assert.equal(total(watch.state()), 1, 'it ran again under the same containerd');
    node.id = undefined; // it is being upgraded
    node.pull = () => undefined;
    await delay(30);
    assert.equal(watch.state().green, true);
    node.id = 'two';
    await until((state) => state.green === false);
    node.pull = asking(canaries);
    node.id = 'three';
    await until((state) => state.green === true);
    await watch.stop();
    assert.deepEqual(
      said().map(({ level, message }) => [level, message]),
      [
        ['info', 'canary is green'],
        ['error', 'canary is red'],
        ['info', 'canary is green'],
      ],
    );
    assert.deepEqual(
      watch.state().outcomes,
      new Map([
        ['green', 2],
        ['bypassed', 1],
      ]),
    );
    assert.equal(node.closed, 2);
  });

  it('comes again and again, and is not known to be anything while there is no containerd', async () => {
    const { watch, said, until } = watched(4, () => () => {
      throw new Error('nobody there');
    });
    await until((state) => total(state) >= 2);
    await watch.stop();
    const { green, at, outcomes } = watch.state();
    assert.deepEqual([green, at, [...outcomes.keys()]], [undefined, 0, ['no-client']]);
    assert.deepEqual([said()[0]?.level, said()[0]?.message], ['warn', 'canary could not be run']);
  });

  it('says nothing of one that its end cut short, and leaves nothing', async () => {
    const { node, fake, watch, said } = watched(HOUR_MS, () => () => {
      void watch.stop();
      return undefined; // pulled: it would be red
    });
    node.id = 'one';
    while (fake.sweeps() === 0) await delay(2);
    await watch.stop();
    assert.deepEqual([said(), [...fake.onNode], watch.state().green], [[], [], undefined]);
  });

  it('knows no containerd where there is none', async () => {
    const identity = containerdIdentity('/nowhere/containerd.sock');
    assert.equal(await identity.read(), undefined);
    identity.close();
  });
});
