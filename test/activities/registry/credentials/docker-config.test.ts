import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type DockerConfig,
  parseDockerConfig,
  placeOf,
} from '../../../../activities/registry/credentials/docker-config.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

function parsed(config: unknown): DockerConfig {
  const result = parseDockerConfig(JSON.stringify(config));
  assert.ok(typeof result !== 'string', String(result));
  return result;
}

test('the password may hold colons, and the padding of docker is stripped', () => {
  const config = parsed({ auths: { 'r.example': { auth: base64('ann:a:b\0\0') } } });
  assert.deepEqual(placeOf(config, 'r.example').credential, { kind: 'password', username: 'ann', password: 'a:b' });
});

test('a host is found by exact key, and by the old keys that are URLs', () => {
  const config = parsed({
    auths: {
      'https://r.example/v1/': { auth: base64('old:1') },
      'r.example:5000': { auth: base64('port:2') },
      'http://q.example': { auth: base64('scheme:3') },
    },
  });
  const usernames = ['r.example', 'r.example:5000', 'q.example', 'evil-r.example', 'example'].map((host) => {
    const { credential } = placeOf(config, host);
    return credential.kind === 'password' ? credential.username : credential.kind;
  });
  assert.deepEqual(usernames, ['old', 'port', 'scheme', 'anonymous', 'anonymous']);
});

test('Docker Hub has a key of its own', () => {
  const config = parsed({ auths: { 'https://index.docker.io/v1/': { auth: base64('hub:1') } }, credsStore: 'store' });
  assert.deepEqual(placeOf(config, 'registry-1.docker.io'), {
    helper: 'store',
    server: 'https://index.docker.io/v1/',
    credential: { kind: 'password', username: 'hub', password: '1' },
  });
});

test("a host's own helper goes before the store", () => {
  const config = parsed({ credHelpers: { 'r.example': 'own' }, credsStore: 'store' });
  assert.equal(placeOf(config, 'r.example').helper, 'own');
  assert.equal(placeOf(config, 'q.example').helper, 'store');
});

test('tokens are told apart from passwords', () => {
  const config = parsed({
    auths: {
      a: { identitytoken: 'i', auth: base64('x:y') },
      b: { registrytoken: 'r' },
      c: {},
      d: { username: 'u', password: 'p' },
    },
  });
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((host) => placeOf(config, host).credential.kind),
    ['identity-token', 'registry-token', 'anonymous', 'password'],
  );
});

test('what is wrong is named by its field, and never by its content', () => {
  const secret = base64('no-colon-secret');
  for (const [config, field] of [
    [{ auths: { 'r.example': { auth: secret } } }, /auths\["r\.example"\]/],
    [{ auths: { 'r.example': { auth: `${secret}!` } } }, /auths\["r\.example"\]/],
    [{ auths: { 'r.example': secret } }, /auths\["r\.example"\]/],
    [{ auths: [secret] }, /auths/],
    [{ credHelpers: { 'r.example': `../${secret}` } }, /credHelpers\["r\.example"\]/],
    [{ credsStore: `/bin/${secret}` }, /credsStore/],
    [[secret], /JSON object/],
  ] as const) {
    const result = parseDockerConfig(JSON.stringify(config));
    assert.ok(typeof result === 'string');
    assert.match(result, field);
    assert.ok(!result.includes(secret), result);
  }
  assert.equal(parseDockerConfig('{"auths":'), 'expected JSON, found something else');
});

test('no content makes the parser throw, and no helper is a path', () => {
  const names = fc.constantFrom(
    'auths',
    'credHelpers',
    'credsStore',
    'auth',
    'identitytoken',
    'r.example',
    '__proto__',
  );
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.constant(null),
      fc.integer(),
      tie('object'),
      fc.array(tie('value')),
    ),
    object: fc.dictionary(names, tie('value')),
  })).object;
  fc.assert(
    fc.property(
      fc.oneof(
        json.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      (text) => {
        const config = parseDockerConfig(text);
        if (typeof config === 'string') return;
        assert.doesNotMatch(placeOf(config, 'r.example').helper ?? '', /[/\\]|^\.|\s/);
      },
    ),
    { numRuns: 500 },
  );
});

test('a host is found under every spelling of its key, and under no other host or port', () => {
  const named = (config: DockerConfig, host: string, repository?: string) => {
    const { credential } = placeOf(config, host, repository);
    return credential.kind === 'password' ? credential.username : credential.kind;
  };
  const config = parsed({
    auths: {
      'R.Example:0443': { auth: base64('default:1') },
      'https://Q.example:05000/v2/': { auth: base64('port:2') },
      '[0:0::1]:5000': { auth: base64('six:3') },
      'registry.hub.docker.com': { auth: base64('hub:4') },
      'R.EXAMPLE/team/app': { auth: base64('part:5') },
    },
    credHelpers: { 'H.example.': 'own' },
  });
  assert.deepEqual(
    ['r.example', 'q.example:5000', '[::1]:5000', 'registry-1.docker.io'].map((host) => named(config, host)),
    ['default', 'port', 'six', 'hub'],
  );
  assert.deepEqual(
    ['r.example:5000', 'q.example', '[::1]:5001', 'r.example:80'].map((host) => named(config, host)),
    ['anonymous', 'anonymous', 'anonymous', 'anonymous'],
  );
  assert.deepEqual(
    ['team/app', 'team/app/x', 'team/app2', 'team'].map((path) => named(config, 'r.example', path)),
    ['part', 'part', 'default', 'default'],
  );
  assert.deepEqual([placeOf(config, 'h.example').helper, placeOf(config, 'h.example').server], ['own', 'h.example']);
});
