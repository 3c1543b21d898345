import assert from 'node:assert/strict';
import { assemble } from '../../../activities/policy/assemble.ts';
import { readPolicyFile } from '../../../activities/policy/policy-file.ts';
import { formatProblem } from '../../../activities/yaml/problem.ts';
import { corpus } from '../corpus.ts';
import { assertInert, partOf, type Target } from '../target.ts';

const KEY = corpus.publicKey.trimEnd().replaceAll('\n', '\n          ');

/** Policies with every kind of authority, a trust root, and demands beyond them. */
const POLICIES: Readonly<Record<string, string>> = {
  key: `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: by-key
spec:
  images:
    - glob: registry.example/team/**
  authorities:
    - name: release
      key:
        hashAlgorithm: sha256
        data: |
          ${KEY}
      ctlog:
        url: https://rekor.sigstore.dev
`,
  keyless: `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: keyless
spec:
  mode: warn
  images:
    - glob: "**"
  authorities:
    - keyless:
        url: https://fulcio.sigstore.dev
        identities:
          - issuer: https://token.actions.githubusercontent.com
            subjectRegExp: https://github\\.com/acme/.*
      attestations:
        - name: provenance
          predicateType: slsaprovenance1
`,
  several: `apiVersion: policy.sigstore.dev/v1alpha1
kind: ClusterImagePolicy
metadata:
  name: first
spec:
  images: [{glob: a.example/*}]
  authorities:
    - static: {action: fail, message: not from there}
---
apiVersion: policy.sigstore.dev/v1alpha1
kind: ClusterImagePolicy
metadata: {name: second}
spec:
  images: [{glob: b.example/*}]
  authorities:
    - static: {action: pass}
`,
};

/** One file of a policy directory. */
export const policyTarget: Target = {
  name: 'policy',
  seeds: Object.entries(POLICIES).map(([seed, text]) => ({ seed, parts: { yaml: Buffer.from(text) } })),
  run(input) {
    const file = readPolicyFile('policy.yaml', partOf(input, 'yaml'));
    const { policies } = assemble([file], new Map());
    for (const problem of file.problems) assertInert(formatProblem(problem));
    if (file.problems.length > 0) return 'refused';
    for (const { images, authorities } of policies) {
      assert.ok(images.length > 0 && authorities.length > 0, 'a policy about nothing, or of nobody, was accepted');
      for (const { signer } of authorities) {
        if (signer.kind === 'keyless') assert.ok(signer.identities.length > 0, 'anybody would be accepted');
      }
    }
    return 'accepted';
  },
};
