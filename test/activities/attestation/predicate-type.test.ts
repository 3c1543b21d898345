import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PREDICATE_TYPE_ALIASES, predicateTypesOf } from '../../../activities/attestation/predicate-type.ts';

describe('a predicate type of a policy', () => {
  const FULL_TYPES: readonly (readonly [alias: string, type: string])[] = [
    ['custom', 'https://cosign.sigstore.dev/attestation/v1'],
    ['slsaprovenance', 'https://slsa.dev/provenance/v0.2'],
    ['slsaprovenance02', 'https://slsa.dev/provenance/v0.2'],
    ['slsaprovenance1', 'https://slsa.dev/provenance/v1'],
    ['spdx', 'https://spdx.dev/Document'],
    ['spdxjson', 'https://spdx.dev/Document'],
    ['cyclonedx', 'https://cyclonedx.org/bom'],
    ['cyclonedxxml', 'https://cyclonedx.org/bom'],
    ['link', 'https://in-toto.io/Link/v1'],
    ['vuln', 'https://cosign.sigstore.dev/attestation/vuln/v1'],
    ['openvex', 'https://openvex.dev/ns'],
    ['vsa', 'https://slsa.dev/verification_summary/v1'],
  ];
  for (const [alias, type] of FULL_TYPES) {
    it(`named ${alias} is ${type}`, () => {
      assert.deepEqual(predicateTypesOf(alias), [type]);
    });
  }

  it('has no other short names', () => {
    assert.deepEqual(PREDICATE_TYPE_ALIASES.toSorted(), FULL_TYPES.map(([alias]) => alias).toSorted());
  });

  for (const uri of [
    'https://slsa.dev/provenance/v1',
    'https://spdx.dev/Document/v2.3',
    'https://in-toto.io/attestation/release/v0.1',
    'urn:acme:review',
  ]) {
    it(`that is a URI stands for itself: ${uri}`, () => {
      assert.deepEqual(predicateTypesOf(uri), [uri]);
    });
  }

  for (const text of [
    '',
    ' ',
    'SPDX',
    'spdx ',
    'slsa',
    'constructor',
    'cosign.sigstore.dev/attestation/v1',
    '/provenance/v1',
    'https:',
    'https://slsa.dev/provenance/v1\n',
    'https://slsa.dev/prov enance',
    'https://slsa.dev/\u0430',
    `https://slsa.dev/${'a'.repeat(2000)}`,
  ]) {
    it(`is neither in ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.equal(predicateTypesOf(text), undefined);
    });
  }
});
