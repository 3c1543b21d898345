import { pipeline, type Readable, Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { MAX_ENCODING_OVERHEAD_BYTES, MAX_ENCODINGS } from '../limits.ts';
import { HttpFault } from './http-fault.ts';

/** Decoders by the names of RFC 9110 section 8.4.1, RFC 7932 and RFC 8878. */
const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: () => zlib.createGunzip(),
  'x-gzip': () => zlib.createGunzip(),
  deflate: () => zlib.createInflate(),
  br: () => zlib.createBrotliDecompress(),
  // 8 MiB, what RFC 9659 admits for HTTP; the library admits 128.
  zstd: () => zlib.createZstdDecompress({ params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 } }),
};

/**
 * The bytes of a body without its `Content-Encoding`. We ask for none, and some servers compress nevertheless. An encoding
 * that is unknown is no reason to refuse: object stores keep names such as `aws-chunked` that say nothing about the bytes.
 * How many decoded bytes are read is up to the reader; bytes beyond that which decode to nothing end the body with an
 * {@link HttpFault}, as does a list of more than {@link MAX_ENCODINGS} encodings.
 */
export function decodeBody(body: Readable, contentEncoding: string | null): Readable {
  const names = (contentEncoding ?? '').split(',').map((name) => name.trim().toLowerCase());
  const encodings = names.filter((name) => name !== '' && name !== 'identity');
  if (encodings.length > MAX_ENCODINGS) throw new HttpFault('ENCODING_TOO_DEEP');
  // The last one was applied last.
  const makers = encodings.toReversed().map((name) => (Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined));
  const known = makers.filter((maker) => maker !== undefined);
  if (known.length === 0 || known.length < makers.length) return body;
  const [before, after] = meters();
  // The last stream carries the error to its reader.
  pipeline([body, before, ...known.map((maker) => maker()), after], () => undefined);
  return after;
}

/** Two streams that let everything pass and compare what arrives with what is made of it. */
function meters(): readonly [Transform, Transform] {
  let overhead = 0;
  const before = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      overhead += chunk.byteLength;
      if (overhead > MAX_ENCODING_OVERHEAD_BYTES) done(new HttpFault('ENCODING_OVERHEAD'));
      else done(null, chunk);
    },
  });
  const after = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      overhead -= chunk.byteLength;
      done(null, chunk);
    },
  });
  return [before, after];
}
