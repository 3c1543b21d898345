import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attack, tryInput } from './campaign.ts';
import { type Input, readInput, writeInput } from './input.ts';
import { TARGETS } from './targets.ts';

/** Of each target at every run of the tests; the inputs are always the same ones. */
const INPUTS = 150;

const folder = fileURLToPath(new URL('regressions/', import.meta.url));

for (const target of TARGETS) {
  describe(`the reader of a ${target.name}`, () => {
    it('accepts every seed as it is', async () => {
      assert.ok(target.seeds.length > 0);
      for (const seed of target.seeds) assert.equal(await tryInput(target, seed), 'accepted', seed.seed);
    });

    it(`keeps its contract for ${INPUTS} inputs made from them`, async () => {
      const { inputs, accepted, finds } = await attack(target, { seed: 'tests', goesOn: (number) => number < INPUTS });
      assert.deepEqual(finds, []);
      assert.equal(inputs, INPUTS);
      assert.ok(accepted < INPUTS, 'nothing was refused');
    });

    for (const file of existsSync(folder) ? globSync(`${target.name}/*.json`, { cwd: folder }) : []) {
      it(`keeps its contract for ${file}, which once broke it`, async () => {
        const outcome = await tryInput(target, readInput(readFileSync(`${folder}${file}`, 'utf8')));
        assert.equal(typeof outcome, 'string', JSON.stringify(outcome));
      });
    }
  });
}

describe('a campaign', () => {
  it('makes the same inputs of one seed, and others of another', async () => {
    const [target] = TARGETS;
    assert.ok(target !== undefined);
    const inputs = async (seed: string) => {
      const made: string[] = [];
      const run = (input: Input) => {
        made.push(writeInput(input));
        return 'refused' as const;
      };
      const spy = { ...target, run };
      await attack(spy, { seed, goesOn: (number) => number < 20 });
      return made;
    };
    assert.deepEqual(await inputs('a'), await inputs('a'));
    assert.notDeepEqual(await inputs('a'), await inputs('b'));
  });

  it('finds a reader that breaks its contract, and says by which input', async () => {
    const [target] = TARGETS;
    assert.ok(target !== undefined);
    const broken = {
      ...target,
      run: () => {
        throw new Error('it broke');
      },
    };
    const { finds } = await attack(broken, { seed: 'tests', goesOn: (number) => number < 100 });
    assert.equal(finds.length, 10);
    assert.match(finds[0]?.problem ?? '', /it broke/);
    const [first] = finds;
    assert.ok(first !== undefined);
    assert.deepEqual(readInput(writeInput(first.input)), first.input);
  });
});
