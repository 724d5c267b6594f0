/** Asks provisioning's credential service. What is not a clear yes or no is `unavailable`: 454, never 535 (invariant 4). */
import type { GrpcClient } from '@postern/grpc';
import type { CredentialServiceClient } from '@postern/proto/directory/v1/credential_service';
import type { CredentialPort } from './credentials.js';

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function createCredentialClient(
  client: GrpcClient<CredentialServiceClient>,
  deadlineMs: number,
): CredentialPort {
  return {
    async material(username, mechanism, sessionId) {
      try {
        const answer = await client.call(client.rpc.getChallenge, { username, mechanism, sessionId }, { deadlineMs });
        return { kind: 'material', ...answer, salt: Buffer.from(answer.salt) };
      } catch (error) {
        return { kind: 'unavailable', reason: reasonOf(error) };
      }
    },
    async standing(username, sessionId) {
      try {
        const { usable, authenticatedUser, tenant, reason, known } = await client.call(
          client.rpc.getStanding,
          { username, sessionId },
          { deadlineMs },
        );
        return usable
          ? { kind: 'usable', user: authenticatedUser, tenant }
          : { kind: 'unusable', isKnown: known, reason };
      } catch (error) {
        return { kind: 'unavailable', reason: reasonOf(error) };
      }
    },
    async verify(question) {
      try {
        const answer = await client.call(
          client.rpc.verify,
          {
            username: question.username,
            mechanism: question.mechanism,
            parameters: { ...question.parameters },
            channelBinding: question.channelBinding,
            sessionId: question.sessionId,
            clientAddress: question.clientAddress,
          },
          { deadlineMs },
        );
        if (!answer.verified) return { kind: 'denied', reason: answer.reason };
        return {
          kind: 'verified',
          user: answer.authenticatedUser,
          tenant: answer.tenant,
          cached: false,
          serverProof: Buffer.from(answer.serverProof),
        };
      } catch (error) {
        return { kind: 'unavailable', reason: reasonOf(error) };
      }
    },
  };
}
