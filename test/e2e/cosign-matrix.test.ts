import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  cosignAccepts,
  describeCell,
  differenceIn,
  MORE_PATIENT,
  printMatrix,
  SIGSTORE_REFUSES,
  STRICTER,
} from '../support/cosign-matrix/difference.ts';
import { type Cell, fillMatrix } from '../support/cosign-matrix/matrix.ts';
import { nameOf, SCENARIOS } from '../support/cosign-matrix/scenario.ts';
import { openWorkbench, type Workbench } from '../support/cosign-matrix/workbench.ts';

describe('portcullis beside cosign 2 and cosign 3', () => {
  let bench: Workbench;
  let cells: readonly Cell[] = [];

  before(async () => {
    bench = await openWorkbench();
    cells = await fillMatrix(bench);
  });

  after(async () => {
    console.log(`${printMatrix(cells)}\n\n${cells.length} cells, ${bench.runs} runs of cosign`);
    await bench.stop();
  });

  const wrong = (isWrong: (cell: Cell) => boolean) => cells.filter(isWrong).map(describeCell);

  it('answers for every way of signing, bent in at least eight ways', () => {
    for (const scenario of SCENARIOS) {
      const count = cells.filter((cell) => cell.scenario === scenario).length;
      assert.ok(count >= 9, `${nameOf(scenario)}: ${count}`);
    }
  });

  it('says yes to all that is good, and no to all that is not', () => {
    assert.deepEqual(
      wrong(({ fault, ours }) => ours.yes !== (fault.isHarmless === true)),
      [],
    );
  });

  it('says yes to nothing that every cosign refuses, but for what is listed', () => {
    assert.deepEqual(
      wrong((cell) => cell.ours.yes && !cosignAccepts(cell) && differenceIn(MORE_PATIENT, cell) === undefined),
      [],
    );
  });

  it('says no to nothing that a cosign accepts, but for what is listed', () => {
    assert.deepEqual(
      wrong((cell) => !cell.ours.yes && cosignAccepts(cell) && differenceIn(STRICTER, cell) === undefined),
      [],
    );
  });

  it('says yes to nothing that sigstore refuses, but for what is listed', () => {
    const refused = cells.filter(({ ours: { sigstore = 'accepted' } }) => sigstore !== 'accepted');
    assert.deepEqual(
      refused.filter((cell) => differenceIn(SIGSTORE_REFUSES, cell) === undefined).map(describeCell),
      [],
    );
    assert.deepEqual(new Set(refused.map((cell) => differenceIn(SIGSTORE_REFUSES, cell))), new Set(SIGSTORE_REFUSES));
    const unasked = SCENARIOS.filter(({ signer }) => signer === 'keyless').filter(
      (scenario) => !cells.some(({ ours, scenario: own }) => own === scenario && ours.sigstore !== undefined),
    );
    assert.deepEqual(unasked.map(nameOf), []);
  });

  it('lists no difference that is none', () => {
    const stricter = cells.filter((cell) => !cell.ours.yes && cosignAccepts(cell));
    const patient = cells.filter((cell) => cell.ours.yes && !cosignAccepts(cell));
    assert.deepEqual(new Set(stricter.map((cell) => differenceIn(STRICTER, cell))), new Set(STRICTER));
    assert.deepEqual(new Set(patient.map((cell) => differenceIn(MORE_PATIENT, cell))), new Set(MORE_PATIENT));
  });

  it('is patient only with evidence that a cosign accepts where it lies alone, or that cosign itself stamped wrongly', () => {
    const alone = (scenario: Cell['scenario']) =>
      cells.some((cell) => cell.scenario === scenario && cell.fault.name === 'nothing' && cosignAccepts(cell));
    const others = cells.filter((cell) => cell.ours.yes && !cosignAccepts(cell) && !alone(cell.scenario));
    assert.deepEqual(
      [...new Set(others.map(({ scenario }) => nameOf(scenario)))],
      ['cosign 3 attestation .att: keyless, Rekor v1, TSA'],
    );
  });
});
