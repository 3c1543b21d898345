import { gzipSync } from 'node:zlib';

/** One entry of a tar; what is left out is usual. */
export interface TarEntry {
  readonly name: string;
  readonly body?: Uint8Array;
  /** Type flag: `0` file, `5` directory, `2` symbolic link, `x` pax header, `L` GNU long name. */
  readonly type?: string;
  /** What the header says the size is. */
  readonly size?: number;
  readonly link?: string;
}

/** A POSIX ustar archive, without compression. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ name, body = Buffer.alloc(0), type = '0', size = body.byteLength, link = '' }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write('0000644\0', 100);
    header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    header.write(' '.repeat(8), 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, body, Buffer.alloc((512 - (body.byteLength % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** The pax header that gives the next entry a long name, as Go's archive/tar writes it. */
export function paxPath(name: string): TarEntry {
  const content = ` path=${name}\n`;
  let length = content.length + 2;
  while (`${length}${content}`.length !== length) length = `${length}${content}`.length;
  return { name: 'PaxHeaders.0/x', type: 'x', body: Buffer.from(`${length}${content}`) };
}

/** Files as policy-controller's tools pack a mirror: below `repository/`, long names by pax. */
export function mirrorArchive(files: ReadonlyMap<string, Uint8Array>, prefix = 'repository/'): Buffer {
  const entries = [...files].flatMap(([path, body]): readonly TarEntry[] => {
    const name = `${prefix}${path}`;
    return name.length <= 100 ? [{ name, body }] : [paxPath(name), { name: name.slice(0, 100), body }];
  });
  return gzipSync(tarOf([{ name: prefix, type: '5' }, ...entries]));
}
