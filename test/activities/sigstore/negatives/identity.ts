import { CLAIM_OIDS, type ClaimName } from '../../../../activities/sigstore/requirement/claim.ts';
import { compilePattern, exactly, type TextPattern } from '../../../../activities/sigstore/requirement/text-pattern.ts';
import { context, der, oid, sequence, utf8String } from '../../../support/virtual-sigstore/der.ts';
import { bareText, type SubjectName, utf8Text } from '../../../support/virtual-sigstore/fulcio-extensions.ts';
import { WORKFLOW_CLAIMS, WORKFLOW_ISSUER, WORKFLOW_SUBJECT } from '../../../support/virtual-sigstore/sigstore.ts';
import { BASES } from './bases.ts';
import { type Base, type Bend, type Change, IDENTITY, type Row, rowsOf } from './case.ts';

const uri = (text: string): Bend => ({ leaf: { names: [{ kind: 'uri', text }] } });
const names = (...list: readonly SubjectName[]): Bend => ({ leaf: { names: list } });
const issuer = (v1: string | undefined, v2: string | undefined): Bend => ({ leaf: { issuer: { v1, v2 } } });
const EVIL = 'https://evil.test';

const keyless =
  (change: Partial<Extract<Parameters<Change>[0]['signer'], { kind: 'keyless' }>>): Change =>
  (it) =>
    it.signer.kind === 'key' ? it : { ...it, signer: { ...it.signer, ...change } };
const rules = (...identities: readonly { readonly issuer: TextPattern; readonly subject: TextPattern }[]): Bend => ({
  require: keyless({ identities }),
});

function like(source: string): TextPattern {
  const compiled = compilePattern(source);
  if (!compiled.ok) throw new Error(compiled.problem);
  return compiled.pattern;
}

/** A rule by patterns, and a certificate of somebody it is not about. */
const pattern = (subject: string, found: string): Bend => ({
  ...uri(found),
  ...rules({ issuer: exactly(WORKFLOW_ISSUER), subject: like(subject) }),
});

/** To whom the certificate was issued. */
export const IDENTITY_ROWS: readonly Row[] = [
  ...rowsOf(BASES.keyless, [
    ['another subject', 'WRONG_IDENTITY', uri(`${EVIL}/acme`)],
    ['the subject in capitals', 'WRONG_IDENTITY', uri(WORKFLOW_SUBJECT.replace('acme', 'ACME'))],
    ['the subject with something before it', 'WRONG_IDENTITY', uri(`${EVIL}/${WORKFLOW_SUBJECT}`)],
    ['the subject with something behind it', 'WRONG_IDENTITY', uri(`${WORKFLOW_SUBJECT}-evil`)],
    ['the subject, one character short', 'WRONG_IDENTITY', uri(WORKFLOW_SUBJECT.slice(0, -1))],
    ['the subject with a slash behind it', 'WRONG_IDENTITY', uri(`${WORKFLOW_SUBJECT}/`)],
    ['the subject with a NUL and more', 'CERTIFICATE_UNSUITABLE', uri(`${WORKFLOW_SUBJECT}\0.evil.test`)],
    ['the subject with a line break', 'CERTIFICATE_UNSUITABLE', uri(`${WORKFLOW_SUBJECT}\n`)],
    ['the subject on the second line', 'CERTIFICATE_UNSUITABLE', uri(`${EVIL}\n${WORKFLOW_SUBJECT}`)],
    ['a letter that only looks alike', 'WRONG_IDENTITY', uri(WORKFLOW_SUBJECT.replace('acme', '\u0430cme'))],
    ['an escaped letter', 'WRONG_IDENTITY', uri(WORKFLOW_SUBJECT.replace('acme', '%61cme'))],
    [
      "the subject in the certificate's common name only",
      'WRONG_IDENTITY',
      { leaf: { commonName: WORKFLOW_SUBJECT, names: [{ kind: 'uri', text: EVIL }] } },
    ],
    ['an issuer that is longer than any', 'CERTIFICATE_UNSUITABLE', issuer(undefined, `${EVIL}/${'x'.repeat(2_048)}`)],
    ['no name', 'CERTIFICATE_UNSUITABLE', names()],
    [
      'two names, the right one first',
      'CERTIFICATE_UNSUITABLE',
      names({ kind: 'uri', text: WORKFLOW_SUBJECT }, { kind: 'uri', text: EVIL }),
    ],
    [
      'two names, the right one last',
      'CERTIFICATE_UNSUITABLE',
      names({ kind: 'email', text: 'evil@evil.test' }, { kind: 'uri', text: WORKFLOW_SUBJECT }),
    ],
    [
      'an address as name',
      'CERTIFICATE_UNSUITABLE',
      names({ kind: 'der', value: context(7, Buffer.from([127, 0, 0, 1]), false) }),
    ],
    [
      'an address whose four bytes read as the name that is wanted',
      'CERTIFICATE_UNSUITABLE',
      {
        ...names({ kind: 'der', value: context(7, Buffer.from('ABCD'), false) }),
        ...rules({ issuer: exactly(WORKFLOW_ISSUER), subject: exactly('ABCD') }),
      },
    ],
    [
      'a name under a tag that is not a context tag',
      'CERTIFICATE_UNSUITABLE',
      {
        ...names({ kind: 'der', value: der(0x06, Buffer.from('ABCD')) }),
        ...rules({ issuer: exactly(WORKFLOW_ISSUER), subject: exactly('ABCD') }),
      },
    ],
    ['a directory name', 'CERTIFICATE_UNSUITABLE', names({ kind: 'der', value: context(4, sequence()) })],
    [
      'a user name under another OID',
      'CERTIFICATE_UNSUITABLE',
      names({
        kind: 'der',
        value: context(0, Buffer.concat([oid('1.2.3'), context(0, utf8String(WORKFLOW_SUBJECT))])),
      }),
    ],
    [
      'a name that is not UTF-8',
      'CERTIFICATE_UNSUITABLE',
      names({ kind: 'der', value: context(6, Buffer.from([0x68, 0xff]), false) }),
    ],
    ['an empty name', 'CERTIFICATE_UNSUITABLE', uri('')],
    [
      'no extension with names',
      'CERTIFICATE_UNSUITABLE',
      { leaf: { extensions: (usual) => usual.filter(({ id }) => id !== '2.5.29.17') } },
    ],
    [
      'the names twice',
      'CERTIFICATE_UNSUITABLE',
      { leaf: { extensions: (usual) => [...usual, ...usual.filter(({ id }) => id === '2.5.29.17')] } },
    ],
    ['another issuer', 'WRONG_IDENTITY', issuer('https://accounts.google.com', 'https://accounts.google.com')],
    ['another issuer in the newer extension', 'WRONG_IDENTITY', issuer(WORKFLOW_ISSUER, EVIL)],
    ['another issuer in the older extension, which is alone', 'WRONG_IDENTITY', issuer(EVIL, undefined)],
    ['no issuer', 'WRONG_IDENTITY', issuer(undefined, undefined)],
    ['the issuer with a slash behind it', 'WRONG_IDENTITY', issuer(`${WORKFLOW_ISSUER}/`, `${WORKFLOW_ISSUER}/`)],
    [
      'the issuer with something behind it',
      'WRONG_IDENTITY',
      issuer(`${WORKFLOW_ISSUER}.evil.test`, `${WORKFLOW_ISSUER}.evil.test`),
    ],
    [
      'the issuer over another protocol',
      'WRONG_IDENTITY',
      issuer(WORKFLOW_ISSUER.replace('https', 'http'), WORKFLOW_ISSUER.replace('https', 'http')),
    ],
    [
      'the newer issuer as bare text',
      'CERTIFICATE_UNSUITABLE',
      { leaf: { issuer: {}, extensions: (usual) => [...usual, bareText('1.3.6.1.4.1.57264.1.8', WORKFLOW_ISSUER)] } },
    ],
    [
      'the older issuer as UTF8String',
      'CERTIFICATE_UNSUITABLE',
      { leaf: { issuer: {}, extensions: (usual) => [...usual, utf8Text('1.3.6.1.4.1.57264.1.1', WORKFLOW_ISSUER)] } },
    ],
    ['no rule', 'WRONG_IDENTITY', rules()],
    [
      'the issuer of one rule, the subject of another',
      'WRONG_IDENTITY',
      rules({ ...IDENTITY, issuer: exactly(EVIL) }, { ...IDENTITY, subject: exactly(EVIL) }),
    ],
    ['a rule with an empty issuer', 'WRONG_IDENTITY', rules({ ...IDENTITY, issuer: exactly('') })],
    ['a pattern that matches in the middle only', 'WRONG_IDENTITY', pattern('github\\.com/acme', WORKFLOW_SUBJECT)],
    [
      'a pattern that matches at the beginning only',
      'WRONG_IDENTITY',
      pattern('https://github\\.com/acme', WORKFLOW_SUBJECT),
    ],
    [
      'a pattern with something before what it matches',
      'WRONG_IDENTITY',
      pattern('https://github\\.com/acme/.*', `${EVIL}/https://github.com/acme/app`),
    ],
    [
      'an alternative that is anchored at one end only',
      'WRONG_IDENTITY',
      pattern('^https://github\\.com/acme|x$', `https://github.com/acme${'.evil.test'}`),
    ],
    [
      'a line break before what a pattern matches',
      'CERTIFICATE_UNSUITABLE',
      pattern('https://github\\.com/acme/.*', `${EVIL}\nhttps://github.com/acme/app`),
    ],
    [
      'a line break behind what a pattern matches',
      'CERTIFICATE_UNSUITABLE',
      pattern('https://github\\.com/acme/.*', `https://github.com/acme/app\n${EVIL}`),
    ],
    ['a dot that is a dot', 'WRONG_IDENTITY', pattern('https://github\\.com/acme', 'https://githubxcom/acme')],
    [
      'capitals under a pattern',
      'WRONG_IDENTITY',
      pattern('https://github\\.com/acme/.*', 'https://github.com/ACME/app'),
    ],
  ]),
];

const CLAIMS = Object.keys(CLAIM_OIDS).filter((name): name is ClaimName => Object.hasOwn(CLAIM_OIDS, name));
const claim = (name: ClaimName, text: string): Change => keyless({ claims: [{ claim: name, value: exactly(text) }] });
const others = (name: ClaimName, text: string | undefined): Bend => {
  const { [name]: _, ...rest } = WORKFLOW_CLAIMS;
  return {
    leaf: { claims: text === undefined ? rest : { ...rest, [name]: text } },
    require: claim(name, WORKFLOW_CLAIMS[name]),
  };
};
const raw = (name: ClaimName, value: Uint8Array): Bend => {
  const bend = others(name, undefined);
  return {
    ...bend,
    leaf: { ...bend.leaf, extensions: (usual) => [...usual, { id: CLAIM_OIDS[name], critical: false, value }] },
  };
};

/** Twins of the rows above and below that differ in the named point alone. */
export const IDENTITY_POSITIVES: readonly (readonly [base: Base, what: string, bend: Bend])[] = [
  [
    BASES.keyless,
    'a URI of four bytes that is wanted',
    { ...uri('ABCD'), ...rules({ issuer: exactly(WORKFLOW_ISSUER), subject: exactly('ABCD') }) },
  ],
  ...CLAIMS.map(
    (name) => [BASES.keyless, `the ${name} that is wanted`, { require: claim(name, WORKFLOW_CLAIMS[name]) }] as const,
  ),
];

/** What else the certificate says; each claim is shown to be compared at all. */
export const CLAIM_ROWS: readonly Row[] = [
  ...CLAIMS.flatMap((name) =>
    rowsOf(BASES.keyless, [
      [`another ${name}`, 'WRONG_CLAIM', others(name, `${WORKFLOW_CLAIMS[name]}x`)],
      [`no ${name}`, 'WRONG_CLAIM', others(name, undefined)],
    ]),
  ),
  ...rowsOf(BASES.keyless, [
    ['a claim in capitals', 'WRONG_CLAIM', others('sourceRepositoryRef', 'refs/heads/MAIN')],
    ['a newer claim as bare text', 'WRONG_CLAIM', raw('sourceRepositoryRef', Buffer.from('refs/heads/main'))],
    ['an older claim as UTF8String', 'WRONG_CLAIM', raw('githubWorkflowRef', utf8String('refs/heads/main'))],
    [
      'a newer claim as another string',
      'WRONG_CLAIM',
      raw('sourceRepositoryRef', Buffer.concat([Buffer.from([0x13, 15]), Buffer.from('refs/heads/main')])),
    ],
    [
      'a claim with bytes behind it',
      'WRONG_CLAIM',
      raw('sourceRepositoryRef', Buffer.concat([utf8String('refs/heads/main'), Buffer.from([0])])),
    ],
    [
      'a claim twice, the right one last',
      'CERTIFICATE_UNSUITABLE',
      {
        leaf: { extensions: (usual) => [utf8Text(CLAIM_OIDS.buildTrigger, 'pull_request'), ...usual] },
        require: claim('buildTrigger', 'push'),
      },
    ],
    [
      'the one of two claims',
      'WRONG_CLAIM',
      {
        leaf: { claims: { ...WORKFLOW_CLAIMS, buildTrigger: 'pull_request' } },
        require: keyless({
          claims: [
            { claim: 'sourceRepositoryRef', value: exactly('refs/heads/main') },
            { claim: 'buildTrigger', value: exactly('push') },
          ],
        }),
      },
    ],
    [
      'a claim under an unanchored pattern',
      'WRONG_CLAIM',
      { require: keyless({ claims: [{ claim: 'sourceRepositoryUri', value: like('github\\.com/acme') }] }) },
    ],
  ]),
];
