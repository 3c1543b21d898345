import { compileCondition } from '../../../activities/attestation/condition.ts';
import { assertInert, partOf, type Target } from '../target.ts';

const CONDITIONS = [
  'predicate.builder.id == "https://github.com/actions/runner"',
  'predicate.scanner.result.all(r, r.severity != "CRITICAL" || r.id in ["CVE-1"])',
  'has(predicate.a) && timestamp(predicate.a.b).getFullYear() >= 2026 ? size(subject) == 1 : false',
  'subject.exists(s, s.digest["sha256"].matches("^[0-9a-f]{64}$")) && !(1 + 2 * 3 == 7u)',
  '[1, 2.0, null, b"a", {"k": r"v"}].map(x, type(x)).filter(t, t == int).size() > 0',
];

/** A condition, as far as it is read when a policy is loaded. */
export const conditionTarget: Target = {
  name: 'condition',
  seeds: CONDITIONS.map((source) => ({ seed: source, parts: { source: Buffer.from(source) } })),
  run(input) {
    const result = compileCondition(partOf(input, 'source').toString());
    if (result.ok) return 'accepted';
    assertInert(result.problem);
    return 'refused';
  },
};
