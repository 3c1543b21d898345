import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readMirrorArchive } from '../../../../activities/trust/document/mirror-archive.ts';
import { mirrorArchive, paxPath, type TarEntry, tarOf } from '../tar.ts';

const BODY = Buffer.from('{}');

function paths(archive: Uint8Array): readonly string[] {
  const read = readMirrorArchive(archive);
  assert.ok(read.ok, read.ok ? '' : read.problem);
  return [...read.files.keys()];
}

describe('a packed mirror', () => {
  it('is read with directories, long names and ./ before them', () => {
    const long = `repository/targets/${'a'.repeat(128)}.trusted_root.json`;
    const gnu = `${'b'.repeat(120)}.json`;
    const entries: readonly TarEntry[] = [
      { name: './', type: '5' },
      { name: 'g', type: 'g', body: Buffer.from('18 comment=nothing\n') },
      { name: './timestamp.json', body: BODY },
      paxPath(long),
      { name: long.slice(0, 100), body: BODY },
      { name: '././@LongLink', type: 'L', body: Buffer.from(`${gnu}\0`) },
      { name: gnu.slice(0, 100), body: BODY },
    ];
    assert.deepEqual(paths(gzipSync(tarOf(entries))), ['timestamp.json', long, gnu]);
  });

  it('has its bytes', () => {
    const files = new Map([
      ['a.json', Buffer.from('one')],
      ['b.json', Buffer.alloc(1000, 'x')],
      ['c.json', Buffer.alloc(512, 'y')],
    ]);
    const read = readMirrorArchive(mirrorArchive(files, ''));
    assert.ok(read.ok);
    assert.deepEqual(
      [...read.files].map(([path, bytes]) => [path, Buffer.from(bytes)]),
      [...files],
    );
  });

  const REFUSED: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
    ['bytes that are no gzip', () => Buffer.from('not a tar'), /found other bytes/],
    ['no bytes', () => Buffer.alloc(0), /found other bytes/],
    [
      'a gzip that is cut off',
      () => gzipSync(tarOf([{ name: 'a', body: BODY }])).subarray(0, 40),
      /an end that is cut off/,
    ],
    ['a gzip bomb', () => gzipSync(Buffer.alloc(64 * 1024 * 1024)), /more than 8388608 bytes unpacked/],
    ['a file that is larger than all', () => gzipSync(tarOf([{ name: 'a', size: 8 ** 11 - 1 }])), /found a cut/],
    ['a tar that is cut off', () => gzipSync(tarOf([{ name: 'a', body: BODY }]).subarray(0, 700)), /found a cut/],
    ['a tar without an end', () => gzipSync(tarOf([{ name: 'a', body: BODY }]).subarray(0, 1024)), /found a cut/],
    ['another kind of text', () => gzipSync(Buffer.alloc(2048, 'a')), /found (?:a header|an invalid number)/],
    ['a wrong sum', () => gzipSync(flip(tarOf([{ name: 'a', body: BODY }]), 0)), /a header with a wrong sum/],
    [
      'a symbolic link',
      () => gzipSync(tarOf([{ name: 'a', type: '2', link: '/etc/passwd' }])),
      /another entry \(a link\?\) at "a"/,
    ],
    ['a hard link', () => gzipSync(tarOf([{ name: 'a', type: '1', link: '/etc/passwd' }])), /another entry/],
    ['a device', () => gzipSync(tarOf([{ name: 'a', type: '3' }])), /another entry/],
    [
      'a name above the mirror',
      () => gzipSync(tarOf([{ name: '../a', body: BODY }])),
      /names inside the mirror, found "\.\.\/a"/,
    ],
    [
      'a name that goes up on its way',
      () => gzipSync(tarOf([{ name: 'a/../../b', body: BODY }])),
      /names inside the mirror/,
    ],
    ['an absolute name', () => gzipSync(tarOf([{ name: '/etc/passwd', body: BODY }])), /names inside the mirror/],
    ['a name of another system', () => gzipSync(tarOf([{ name: '..\\a', body: BODY }])), /names inside the mirror/],
    [
      'a long name above the mirror',
      () => gzipSync(tarOf([paxPath('../../a'), { name: 'a', body: BODY }])),
      /names inside the mirror/,
    ],
    [
      'a broken pax header',
      () => gzipSync(tarOf([{ name: 'x', type: 'x', body: Buffer.from('999 path=a\n') }])),
      /broken pax header/,
    ],
    [
      'a pax header of no length',
      () => gzipSync(tarOf([{ name: 'x', type: 'x', body: Buffer.from('0 path=a\n') }])),
      /broken pax header/,
    ],
    ...['0x10', '+16', '16.', '1.6e1', '016'].map(
      (length) =>
        [
          `a pax header of the length ${length}`,
          () =>
            gzipSync(
              tarOf([
                { name: 'x', type: 'x', body: paxRecord(length, 'path=b.jso\n') },
                { name: 'a', body: BODY },
              ]),
            ),
          /broken pax header/,
        ] as const,
    ),
    ...['0000000000 2', '2x', 'x2', '00000000002x'].map(
      (size) =>
        [
          `the size ${size}`,
          () => gzipSync(withSize(tarOf([{ name: 'a', body: BODY }]), size)),
          /an invalid number/,
        ] as const,
    ),
    [
      'a size by pax',
      () => gzipSync(tarOf([{ name: 'x', type: 'x', body: Buffer.from('10 size=9\n') }, { name: 'a' }])),
      /files below 8 GiB/,
    ],
    [
      'a file twice',
      () =>
        gzipSync(
          tarOf([
            { name: 'a', body: BODY },
            { name: './a', body: BODY },
          ]),
        ),
      /found "a" again/,
    ],
    [
      'too many files',
      () => gzipSync(tarOf(Array.from({ length: 2100 }, (_, i) => ({ name: `${i}` })))),
      /at most 1000 files/,
    ],
  ];
  for (const [what, archive, problem] of REFUSED) {
    it(`is refused with ${what}`, () => {
      const read = readMirrorArchive(archive());
      assert.ok(!read.ok, 'it was read');
      assert.match(read.problem, problem);
      assert.doesNotMatch(read.problem, /\n/);
    });
  }

  it('never throws, whatever byte is bent, and never gives a name outside', () => {
    const tar = tarOf([
      { name: 'repository/', type: '5' },
      { name: 'repository/a.json', body: BODY },
      paxPath('repository/b.json'),
      { name: 'b', body: BODY },
    ]);
    fc.assert(
      fc.property(fc.nat(tar.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const bent = Buffer.from(tar);
        bent.writeUInt8(bent.readUInt8(at) ^ by, at);
        const read = readMirrorArchive(gzipSync(bent, { level: 1 }));
        if (!read.ok) return;
        for (const path of read.files.keys()) assert.doesNotMatch(path, /^\/|(?:^|\/)\.\.(?:\/|$)/);
      }),
      { numRuns: 500 },
    );
  });
});

/** A record of a pax header that ends where the length, read as leniently as can be, says: after sixteen bytes. */
function paxRecord(length: string, rest: string): Buffer {
  return Buffer.from(`${length} ${rest}`.padEnd(16, ' ').slice(0, 16));
}

/** The first header with another size, and the sum that belongs to that. */
function withSize(tar: Buffer, size: string): Buffer {
  const header = tar.subarray(0, 512);
  header.fill(0, 124, 136).write(size, 124, 12);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return tar;
}

function flip(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}
