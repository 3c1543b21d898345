import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ProxyEnvironment, ProxySettingError, proxyFor, proxyProblem } from '../../../workflows/format/proxy.ts';

const HTTP_PROXY = 'http://plain.example:3128';
const HTTPS_PROXY = 'http://secure.example:3129';
const BOTH = { HTTP_PROXY, HTTPS_PROXY };

/** The proxy of a URL as `host:port`, or `direct`. */
function chosen(url: string, environment: ProxyEnvironment): string {
  const { protocol, hostname, port } = new URL(url);
  const scheme = protocol === 'http:' ? 'http' : 'https';
  const choice = proxyFor(
    { scheme, host: hostname, port: Number(port || (scheme === 'http' ? 80 : 443)) },
    environment,
  );
  return choice.kind === 'direct' ? 'direct' : choice.label;
}

function problemOf(work: () => unknown): ProxySettingError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof ProxySettingError);
    return error;
  }
  return assert.fail('expected an error');
}

describe('the proxy of a connection', () => {
  it('is the one of its scheme', () => {
    assert.equal(chosen('http://registry.example/v2/', BOTH), 'plain.example:3128');
    assert.equal(chosen('https://registry.example/v2/', BOTH), 'secure.example:3129');
    assert.equal(chosen('https://registry.example/v2/', { HTTP_PROXY }), 'direct', 'HTTP_PROXY is not for https');
    assert.equal(chosen('http://registry.example/v2/', { HTTPS_PROXY }), 'direct', 'HTTPS_PROXY is not for http');
    assert.equal(chosen('https://registry.example/v2/', { ALL_PROXY: HTTP_PROXY }), 'direct', 'Go knows no ALL_PROXY');
    assert.equal(chosen('https://registry.example/v2/', {}), 'direct');
  });

  it('may be set in both spellings; as for Go, upper case counts where both are set', () => {
    assert.equal(chosen('http://registry.example/', { http_proxy: HTTP_PROXY }), 'plain.example:3128');
    assert.equal(chosen('https://registry.example/', { https_proxy: HTTPS_PROXY }), 'secure.example:3129');
    assert.equal(
      chosen('https://registry.example/', { HTTPS_PROXY, https_proxy: 'lower.example' }),
      'secure.example:3129',
    );
    assert.equal(
      chosen('https://registry.example/', { HTTPS_PROXY: '', https_proxy: HTTPS_PROXY }),
      'secure.example:3129',
    );
    assert.equal(chosen('https://registry.example/', { ...BOTH, no_proxy: 'registry.example' }), 'direct');
    assert.equal(chosen('https://registry.example/', { ...BOTH, NO_PROXY: '', no_proxy: '*' }), 'direct');
    assert.equal(
      chosen('https://registry.example/', { ...BOTH, NO_PROXY: 'other', no_proxy: '*' }),
      'secure.example:3129',
    );
  });

  // Compared with golang.org/x/net v0.61.0 over 29,568 cases of which these are a choice.
  const exceptions: readonly (readonly [entry: string, url: string, isDirect: boolean])[] = [
    ['example.com', 'https://example.com/', true],
    ['example.com', 'https://a.b.example.com/', true],
    ['example.com', 'https://badexample.com/', false],
    ['example.com', 'https://example.com.evil.example/', false],
    ['EXAMPLE.com', 'https://a.Example.COM/', true],
    ['example.com', 'https://example.com./', true],
    ['.example.com', 'https://a.example.com/', true],
    ['.example.com', 'https://example.com/', false],
    ['*.example.com', 'https://a.example.com/', true],
    ['*.example.com', 'https://example.com/', false],
    ['*example.com', 'https://a.example.com/', false],
    ['example.com:8443', 'https://example.com:8443/', true],
    ['example.com:8443', 'https://example.com/', false],
    ['example.com:443', 'https://example.com/', true],
    ['example.com:80', 'http://example.com/', true],
    ['.example.com:443', 'https://a.example.com/', true],
    ['example.com:', 'https://example.com:8443/', true],
    ['example.com:https', 'https://example.com/', false],
    ['other.example, example.com ,', 'https://example.com/', true],
    ['other.example example.com', 'https://example.com/', false],
    ['bücher.example', 'https://bücher.example/', true],
    ['*', 'https://example.com/', true],
    ['other.example,*', 'https://10.1.2.3/', true],
    ['10.1.2.3', 'https://10.1.2.3:5000/', true],
    ['10.1.2.3:5000', 'https://10.1.2.3:5000/', true],
    ['10.1.2.3:5000', 'https://10.1.2.3/', false],
    ['10.1.2', 'https://10.1.2.3/', false],
    ['10.0.0.0/8', 'https://10.200.2.3/', true],
    ['10.1.2.3/9', 'https://10.200.2.3/', false],
    ['10.0.0.0/33', 'https://10.0.0.0/', false],
    ['0.0.0.0/0', 'https://10.200.2.3/', true],
    ['0.0.0.0/0', 'https://example.com/', false],
    ['0.0.0.0/0', 'https://[fd00::1]/', false],
    ['::/0', 'https://[fd00::1]/', true],
    ['::/0', 'https://10.1.2.3/', false],
    ['fd00::1', 'https://[fd00:0::1]/', true],
    ['[fd00::1]', 'https://[fd00::1]:5000/', true],
    ['[fd00::1]:5000', 'https://[fd00::1]:5000/', true],
    ['[fd00::1]:5000', 'https://[fd00::1]/', false],
    ['fd00::/8', 'https://[fd12::3]/', true],
    ['fd00::2/127', 'https://[fd00::1]/', false],
    ['10.1.2.3', 'https://[::ffff:10.1.2.3]/', true],
    ['::ffff:10.0.0.0/104', 'https://10.200.2.3/', true],
  ];
  for (const [entry, url, isDirect] of exceptions) {
    it(`is ${isDirect ? 'not used' : 'used'} for ${url} with NO_PROXY=${entry}`, () => {
      assert.equal(chosen(url, { HTTP_PROXY, HTTPS_PROXY: HTTP_PROXY, NO_PROXY: entry }) === 'direct', isDirect);
    });
  }

  it('is never used for this machine, its link and the metadata services of clouds', () => {
    const local = ['localhost', 'localhost.', 'LOCALHOST', 'registry.localhost', '127.0.0.1', '127.9.9.9', '[::1]'];
    const link = ['169.254.169.254', '169.254.170.2', '[fe80::1]', '[::ffff:169.254.169.254]', '[fd00:ec2::254]'];
    for (const host of [...local, ...link, 'metadata.google.internal']) {
      assert.equal(chosen(`http://${host}:5000/`, BOTH), 'direct', host);
    }
    for (const host of ['localhost.example', 'notlocalhost', '128.0.0.1', '[fd00::1]', 'google.internal', '0.0.0.0']) {
      assert.equal(chosen(`http://${host}:5000/`, BOTH), 'plain.example:3128', host);
    }
    const zoned = { scheme: 'http', host: 'fe80::1%eth0', port: 80 } as const;
    assert.deepEqual(proxyFor(zoned, BOTH), { kind: 'direct' });
  });

  const target = { scheme: 'https', host: 'registry.example', port: 443 } as const;

  it('has the port of its scheme, and may be reached by https', () => {
    const of = (value: string) => proxyFor(target, { HTTPS_PROXY: value });
    const common = { kind: 'proxy', scheme: 'http', host: 'proxy.example', port: 80 };
    const place = { ...common, url: 'http://proxy.example:80', label: 'proxy.example:80' };
    for (const value of [
      'http://proxy.example',
      'proxy.example',
      'HTTP://Proxy.Example:80/',
      ' http://proxy.example/x?y ',
    ]) {
      assert.deepEqual(of(value), place, value);
    }
    const secure = { kind: 'proxy', scheme: 'https', host: '[fd00::1]', port: 443 };
    assert.deepEqual(of('https://[fd00::1]'), { ...secure, url: 'https://[fd00::1]:443', label: '[fd00::1]:443' });
  });

  it('has credentials that are no part of its URL and of its label', () => {
    const choice = proxyFor(target, { HTTPS_PROXY: 'http://user%40corp:p%3Ass%20word@proxy.example:3128' });
    assert.deepEqual(choice, {
      kind: 'proxy',
      scheme: 'http',
      host: 'proxy.example',
      port: 3128,
      url: 'http://proxy.example:3128',
      label: 'proxy.example:3128',
      credentials: { username: 'user@corp', password: 'p:ss word' },
    });
    const only = proxyFor(target, { https_proxy: 'user@proxy.example:3128' });
    assert.deepEqual(only.kind === 'proxy' && only.credentials, { username: 'user', password: '' });
  });
});

describe('a proxy that is set wrong', () => {
  const values = [
    'socks5://user:hunter2@proxy.example:1080',
    'ftp://user:hunter2@proxy.example',
    'http://user:hunter2@',
    'http://user:hunter2@proxy.example:99999',
    'http://user:hunter2@proxy.example:0',
    'http://user:hunter2%ZZ@proxy.example',
    'http://user:hunter2@pro xy.example',
    'http://user:hunter2@proxy.example\n:3128',
    'http:///hunter2',
    '/hunter2',
    'user:hunter2@',
    `http://user:hunter2@${'a'.repeat(5_000)}`,
    ' ',
  ];
  for (const value of values) {
    it(`is an error that names the variable and nothing of its value: ${JSON.stringify(value.slice(0, 50))}`, () => {
      const target = { scheme: 'https', host: 'registry.example', port: 443 } as const;
      const error = problemOf(() => proxyFor(target, { https_proxy: value }));
      assert.equal(error.code, 'PROXY_SETTING');
      assert.equal(error.variable, 'https_proxy');
      assert.match(error.message, /^https_proxy: .+; \w+/);
      assert.doesNotMatch(error.message, /hunter2|user/);
      assert.equal(proxyProblem({ https_proxy: value }), error.message);
    });
  }

  it('counts where the connection would use it', () => {
    const environment = { ...BOTH, HTTP_PROXY: 'socks5://proxy.example', NO_PROXY: 'direct.example' };
    assert.equal(chosen('https://registry.example/', environment), 'secure.example:3129');
    assert.equal(chosen('http://direct.example/', environment), 'direct');
    assert.equal(problemOf(() => chosen('http://registry.example/', environment)).variable, 'HTTP_PROXY');
    assert.equal(proxyProblem(BOTH), undefined);
    assert.equal(proxyProblem({}), undefined);
  });

  it('includes HTTP_PROXY of a CGI program, which a client can set by the header "Proxy"', () => {
    const environment = { ...BOTH, REQUEST_METHOD: 'GET' };
    assert.match(problemOf(() => chosen('http://registry.example/', environment)).message, /REQUEST_METHOD/);
    assert.equal(chosen('https://registry.example/', environment), 'secure.example:3129');
    assert.equal(chosen('http://127.0.0.1/', environment), 'direct');
  });
});
