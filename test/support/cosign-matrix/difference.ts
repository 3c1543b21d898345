import { FAULTS } from './faults.ts';
import type { Cell } from './matrix.ts';
import { nameOf, type Scenario } from './scenario.ts';

/** Cells in which we answer otherwise than every cosign that was asked, and why that is right. */
export interface Difference {
  readonly faults: readonly string[];
  readonly applies: (scenario: Scenario) => boolean;
  readonly reason: string;
}

const bundled = ({ format }: Scenario) => format === 'bundle';
const legacy = ({ format }: Scenario) => format === 'legacy';

/** We refuse what a cosign accepts. */
export const STRICTER: readonly Difference[] = [
  {
    faults: ['a signature wanted'],
    applies: bundled,
    reason: 'cosign takes every bundle for a signature; that somebody attested an image, of whatever quality, is none',
  },
  {
    faults: ['timestamp missing', 'timestamp wanted, none there'],
    applies: legacy,
    reason: 'with legacy signatures cosign uses timestamps that are there and demands none; here a demand is a demand',
  },
  {
    faults: ['logs ended'],
    applies: ({ log }) => log === 'v2',
    reason: "Rekor v2 tells no time, and cosign then skips the window of the log's key; the timestamp tells it here",
  },
  {
    faults: ['a pattern for a part of the name'],
    applies: ({ signer }) => signer === 'keyless',
    reason: 'cosign looks for the pattern anywhere in the name; here it has to match all of it',
  },
  {
    faults: ['found in another repository'],
    applies: legacy,
    reason: 'a legacy payload names its repository; cosign does not look, and a copy there passes for the original',
  },
];

/** We accept what every cosign refuses. Only good evidence may be here. */
export const MORE_PATIENT: readonly Difference[] = [
  {
    faults: ["a stranger's bundle beside"],
    applies: legacy,
    reason:
      'once there is a bundle cosign looks at nothing else, so whoever may push takes away a good legacy signature',
  },
  {
    faults: ['base64 in lines'],
    applies: ({ log }) => log !== 'none',
    reason: 'cosign compares the text of the signature with the text in the log entry; here their bytes are compared',
  },
  {
    faults: ['nothing', "a stranger's bundle beside", 'issuing authority alone'],
    applies: ({ writer, kind, format, timestamps }) =>
      writer === 3 && kind === 'attestation' && format === 'legacy' && timestamps,
    reason: 'cosign 3 has the signature stamped and expects a stamp of the whole envelope; either is taken here',
  },
];

/** Where the package `sigstore` refuses the evidence that we accept. Only good evidence may be here. */
export const SIGSTORE_REFUSES: readonly Difference[] = [
  {
    faults: ['issuing authority alone'],
    applies: ({ signer }) => signer === 'keyless',
    reason:
      'the package follows every chain to a certificate that signs itself; cosign and Go stop at the one that is trusted',
  },
  {
    faults: ['nothing', "a stranger's bundle beside"],
    applies: ({ writer, kind, format, signer, timestamps }) =>
      writer === 2 && kind === 'attestation' && format === 'legacy' && signer === 'keyless' && timestamps,
    reason: 'cosign 2 stamps the envelope of an attestation, the package reads timestamps over the signature in it',
  },
];

/** The first entry of a list that a cell belongs to. */
export function differenceIn(list: readonly Difference[], { scenario, fault }: Cell): Difference | undefined {
  return list.find(({ faults, applies }) => faults.includes(fault.name) && applies(scenario));
}

/** Whether at least one cosign said yes. */
export function cosignAccepts({ cosign2, cosign3 }: Cell): boolean {
  return cosign2?.yes === true || cosign3?.yes === true;
}

/** All answers of a cell on one line. */
export function describeCell({ scenario, fault, cosign2, cosign3, ours }: Cell): string {
  const word = (answer: Cell['cosign2']) => (answer === undefined ? 'not asked' : answer.yes ? 'yes' : 'no');
  const answers = `cosign 2 ${word(cosign2)}, cosign 3 ${word(cosign3)}, portcullis ${word(ours)}`;
  return `${nameOf(scenario)}; ${fault.name}: ${answers} (${ours.why.slice(0, 200)})`;
}

/** The matrix for people: a line for each scenario, a column for each fault. */
export function printMatrix(cells: readonly Cell[]): string {
  const faults = FAULTS.map(({ name }) => name);
  const names = [...new Set(cells.map(({ scenario }) => nameOf(scenario)))];
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => {
    const row = cells.filter(({ scenario }) => nameOf(scenario) === name);
    const signs = faults.map((fault) => signOf(row.find((cell) => cell.fault.name === fault)));
    return `${name.padEnd(width)}  ${signs.map((sign) => sign.padStart(2)).join(' ')}`;
  });
  const head = `${''.padEnd(width)}  ${faults.map((_, index) => String(index + 1).padStart(2)).join(' ')}`;
  const legend = faults.map((fault, index) => `${String(index + 1).padStart(2)} ${fault}`);
  const signs = 'y both say yes   n both say no   S only a cosign says yes   P only portcullis says yes';
  return [head, ...lines, '', signs, '', ...legend].join('\n');
}

function signOf(cell: Cell | undefined): string {
  if (cell === undefined) return '';
  if (cosignAccepts(cell)) return cell.ours.yes ? 'y' : 'S';
  return cell.ours.yes ? 'P' : 'n';
}
