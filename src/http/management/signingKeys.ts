import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { contextOf } from '../context.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { answer, TEXT, TIME } from '../schemas.ts';
import { timeOf } from './route.ts';

const tags = ['Signing keys'] as const;

/** `/api/v1/signing-keys`: the keys that sign the tokens of logins. No answer has the key itself. */
export const signingKeyRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const rotate = async (request: FastifyRequest, reply: FastifyReply) => {
    const { keyId, madeAt } = await deps.rotateSigningKey(contextOf(request));
    request.log.info({ event: 'SigningKeyRotated', keyId }, 'SigningKeyRotated');
    return reply.code(201).send({ key_id: keyId, at: timeOf(new Date(madeAt).toISOString()) });
  };

  described(app, '/signing-keys/rotate', {
    POST: {
      action: 'manageKeys',
      schema: {
        summary: 'Makes a new key that signs tokens from now on. What older keys signed goes on until it expires.',
        tags,
        response: { 201: answer({ key_id: TEXT, at: TIME }) },
      },
      handler: rotate,
    },
  });
};
