/**
 * A message that is not what its method takes is INVALID_ARGUMENT. grpc-js would say INTERNAL, which is our fault, and past every interceptor, so
 * uncounted. The reader therefore never throws: it hands on a mark, and the interceptor answers when the mark comes by.
 */
import { PosternError } from '@postern/errors';
import {
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServiceDefinition,
} from './grpc-js.js';
import { statusOf } from './status.js';

class Malformed {
  constructor(readonly reason: string) {}
}

/** The definition with readers that mark what they cannot read. */
export function markMalformed(definition: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(definition).map(([name, method]) => {
    const read = method.requestDeserialize;
    const requestDeserialize = (bytes: Buffer): unknown => {
      try {
        return read(bytes);
      } catch (error) {
        return new Malformed(error instanceof Error ? error.message : 'unreadable');
      }
    };
    return [name, { ...method, requestDeserialize }] as const;
  });
  return Object.fromEntries(methods);
}

export function refuseMalformed(): ServerInterceptor {
  return (_method, call) => {
    let refused = false;
    return new ServerInterceptingCall(call, {
      start: (next) => {
        const listener = new ServerListenerBuilder()
          .withOnReceiveMessage((message, pass) => {
            if (refused) return;
            if (!(message instanceof Malformed)) return pass(message);
            refused = true;
            call.sendStatus(
              statusOf(new PosternError('invalid-argument', `not a message of this method: ${message.reason}`)),
            );
          })
          .withOnReceiveHalfClose((pass) => {
            if (!refused) pass();
          });
        next(listener.build());
      },
    });
  };
}
