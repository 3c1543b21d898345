import assert from 'node:assert/strict';
import type { SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import type { BundleDocument } from '../virtual-sigstore/evidence.ts';
import { asBundle } from './as-bundle.ts';
import { EXCEPTIONS, type Exception } from './exceptions.ts';
import { type IndependentQuestion, independentJudge } from './judge.ts';

/** Asserts that the package agrees that evidence holds. `artifact`: what a bundle without an envelope is over. */
export type Agreement = (content: SignatureContent, artifact?: Buffer) => void;

/**
 * What portcullis accepted keyless, the package `sigstore` has to accept as well, for the same trust root and identity; or it
 * has to refuse it with the words of the line of `EXCEPTIONS` that has this name, and to accept what that line leaves of it.
 */
export async function agreementOn(name: string, question: IndependentQuestion): Promise<Agreement> {
  const exception = EXCEPTIONS.find(({ evidence }) => evidence.includes(name));
  const judge = await independentJudge(question);
  if (exception === undefined) {
    return (content, artifact) => {
      const it = asBundle(content);
      assert.equal(
        judge(it.bundle, it.artifact ?? artifact),
        'accepted',
        `${name}: portcullis is looser than sigstore`,
      );
    };
  }
  const { subject: _, ...withoutSubject } = question;
  const rest = exception.reduce?.kind === 'without-subject' ? await independentJudge(withoutSubject) : judge;
  return (content, artifact) => {
    const it = asBundle(content);
    assert.match(judge(it.bundle, it.artifact ?? artifact), exception.says, `${name}: remove it from the exceptions`);
    const reduced = reducedBy(exception, it.bundle);
    if (reduced !== undefined)
      assert.equal(rest(reduced, it.artifact ?? artifact), 'accepted', `${name}, the rest of it`);
  };
}

function reducedBy({ reduce }: Exception, bundle: Uint8Array): Uint8Array | undefined {
  switch (reduce?.kind) {
    case undefined:
      return undefined;
    case 'without-subject':
      return bundle;
    case 'json-names':
      return Buffer.from(
        Buffer.from(bundle)
          .toString()
          .replaceAll(/"[a-z0-9_]+":/g, (name) =>
            name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
          ),
      );
    case 'bundle': {
      // Evidence of the tests.
      const document = JSON.parse(Buffer.from(bundle).toString()) as BundleDocument;
      const changed = reduce.change(document);
      const isAnother = typeof changed === 'object' && changed !== null;
      return Buffer.from(JSON.stringify(isAnother ? changed : document));
    }
  }
}
