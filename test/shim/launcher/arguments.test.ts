import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseLauncherArguments } from '../../../shim/launcher/arguments.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const DESCRIPTOR_TYPE = 'application/vnd.oci.descriptor.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const NAME = 'docker.io/library/alpine:3.22';
const GOOD = ['-name', NAME, '-digest', DIGEST, '-stdin-media-type', DESCRIPTOR_TYPE] as const;

function descriptor(fields: Readonly<Record<string, unknown>> = {}): Uint8Array {
  return Buffer.from(`${JSON.stringify({ mediaType: INDEX_TYPE, digest: DIGEST, size: 42, ...fields })}\n`);
}

function sentence(words: readonly string[], stdin: Uint8Array = descriptor()): string {
  const parsed = parseLauncherArguments({ arguments: words, stdin });
  assert.ok(!parsed.ok, `accepted ${words.join(' ')}`);
  assert.ok(parsed.sentence.length < 400 && !/\p{Cc}/u.test(parsed.sentence), parsed.sentence);
  return parsed.sentence;
}

test('reads what containerd passes', () => {
  assert.deepEqual(parseLauncherArguments({ arguments: GOOD, stdin: descriptor() }), {
    ok: true,
    request: { name: NAME, digest: DIGEST },
    descriptor: { mediaType: INDEX_TYPE, digest: DIGEST, size: 42 },
  });
});

test('reads every order and spelling that the flag package of Go takes, and skips unknown pairs', () => {
  const spellings = [
    ['-stdin-media-type', DESCRIPTOR_TYPE, '-digest', DIGEST, '-name', NAME],
    ['--name', NAME, `--digest=${DIGEST}`, `-stdin-media-type=${DESCRIPTOR_TYPE}`],
    ['-operation', 'pull', ...GOOD, '--other=value', '-Name', 'x'],
    ['-operation', '-name', ...GOOD],
    ['-operation=', ...GOOD],
  ];
  for (const words of spellings) {
    const parsed = parseLauncherArguments({ arguments: words, stdin: descriptor() });
    assert.ok(parsed.ok, JSON.stringify(parsed));
    assert.equal(parsed.request.name, NAME);
  }
});

test('the name loses its digest, which must be the one that will be pulled', () => {
  const named = (digest: string) => ['-name', `a.example/b@${digest}`, ...GOOD.slice(2)];
  const parsed = parseLauncherArguments({ arguments: named(DIGEST), stdin: descriptor() });
  assert.ok(parsed.ok);
  assert.equal(parsed.request.name, 'a.example/b');
  assert.match(sentence(named(OTHER)), /^-digest: expected the digest in -name/);
});

test('the name is asked about in its one spelling, and short names, which are hosts to containerd, are refused', () => {
  const asked = (name: string) => {
    const parsed = parseLauncherArguments({ arguments: ['-name', name, ...GOOD.slice(2)], stdin: descriptor() });
    return parsed.ok ? parsed.request.name : parsed.sentence;
  };
  assert.equal(asked('LOCALHOST:05000/prod/app:v1'), 'localhost:5000/prod/app:v1');
  assert.equal(asked('127.0.0.1:05000/prod/app:v1'), '127.0.0.1:5000/prod/app:v1');
  assert.equal(asked('REGISTRY-1.docker.io/app:v1'), 'docker.io/library/app:v1');
  assert.equal(asked(`R.example.:443/app@${DIGEST}`), 'r.example/app');
  for (const name of ['app:v1', 'registry/app:v1', 'REGISTRY/app:v1', '0x7f.1:5000/app:v1', '127.1:5000/app:v1']) {
    assert.match(asked(name), /^-name: expected an image name/, name);
  }
});

test('refuses what is missing, empty, doubled or no flag', () => {
  for (const [at, flag] of ['-name', '-digest', '-stdin-media-type'].entries()) {
    const without = GOOD.filter((_, index) => index !== 2 * at && index !== 2 * at + 1);
    assert.equal(sentence(without), `${flag}: expected a value, found none`);
    assert.equal(sentence([...without, flag, '']), `${flag}: expected a value, found none`);
    assert.match(sentence([...without, flag]), /expected a value, found none/);
    assert.equal(sentence([...GOOD, `-${flag}=x`]), `${flag}: expected it once, found it twice`);
  }
  for (const word of ['pull', '', '-', '--', '---name', '-=x', 'a\nb']) {
    assert.match(sentence([word, ...GOOD]), /^argument 1: expected a flag/, JSON.stringify(word));
  }
  assert.match(sentence([]), /-name: expected a value/);
});

test('refuses names, digests and media types that are none', () => {
  const rest = GOOD.slice(2);
  for (const name of [
    'UPPER/case',
    'a b',
    'a\nb',
    '-x',
    'a@sha256:1',
    `a@sha512:${'a'.repeat(128)}`,
    'x'.repeat(9000),
    'ü',
  ]) {
    assert.match(sentence(['-name', name, ...rest]), /^-name: expected an image name/, name);
  }
  for (const digest of ['sha256:', 'a'.repeat(64), DIGEST.toUpperCase(), `${DIGEST} `, `sha512:${'a'.repeat(128)}`]) {
    const words = ['-name', NAME, '-digest', digest, '-stdin-media-type', DESCRIPTOR_TYPE];
    assert.match(sentence(words), /^-digest: expected sha256:/, digest);
  }
  const wrongType = [...GOOD.slice(0, 4), '-stdin-media-type', 'application/json'];
  assert.match(sentence(wrongType), /^-stdin-media-type: expected application\/vnd.oci/);
});

test('refuses input that is no descriptor of this digest', () => {
  const inputs: readonly (readonly [Uint8Array, RegExp])[] = [
    [new Uint8Array(), /0 bytes that are none/],
    [Buffer.from('{'), /1 bytes that are none/],
    [descriptor().subarray(0, 60), /60 bytes that are none/],
    [Buffer.from([0x22, 0xff, 0x22]), /3 bytes that are none/],
    [Buffer.from('[]'), /found something else/],
    [Buffer.from('null'), /found something else/],
    [Buffer.from('"x"'), /found something else/],
    [Buffer.from('['.repeat(1_000_000)), /bytes that are none/],
    [Buffer.concat([descriptor(), descriptor()]), /bytes that are none/],
    [descriptor({ digest: OTHER }), /expected the digest of -digest/],
    [descriptor({ digest: 7 }), /digest: expected a digest/],
    [descriptor({ digest: undefined, __proto__: { digest: DIGEST } }), /digest: expected a digest/],
    [descriptor({ digest: 'md5:0' }), /digest: expected sha256/],
    [descriptor({ mediaType: '' }), /mediaType/],
    [descriptor({ mediaType: undefined }), /mediaType/],
    [descriptor({ size: -1 }), /size/],
    [descriptor({ size: '42' }), /size/],
    [descriptor({ size: 2 ** 60 }), /size/],
    [Buffer.alloc(1024 * 1024 + 1, ' '), /at most 1048576 bytes/],
  ];
  for (const [stdin, expected] of inputs) assert.match(sentence(GOOD, stdin), expected);
});

test('takes a descriptor with annotations of 128 KiB', () => {
  const stdin = descriptor({ annotations: { note: 'x'.repeat(128 * 1024) } });
  assert.ok(parseLauncherArguments({ arguments: GOOD, stdin }).ok);
});

test('never throws, and accepts nothing whose digest is not in the input', () => {
  const word = fc.oneof(fc.constantFrom(...GOOD, '-digest=', '--', OTHER), fc.string({ unit: 'binary' }));
  const stdin = fc.oneof(fc.constant(descriptor()), fc.json().map(Buffer.from), fc.uint8Array());
  fc.assert(
    fc.property(fc.array(word, { maxLength: 10 }), stdin, (words, bytes) => {
      const parsed = parseLauncherArguments({ arguments: words, stdin: bytes });
      if (parsed.ok) assert.ok(Buffer.from(bytes).includes(parsed.request.digest));
      else assert.ok(parsed.sentence.length > 0);
    }),
  );
});
