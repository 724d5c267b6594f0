/**
 * Server reflection from a serialized FileDescriptorSet (what `buf build -o` writes). Only its outer message is read
 * here: repeated FileDescriptorProto file = 1. descriptor.proto
 */
import { ReflectionService } from '@grpc/reflection';
import { PosternError } from '@postern/errors';
import type { Server } from './grpc-js.js';

const fileTag = 0x0a;

export function addReflection(server: Server, descriptorSet: Uint8Array, services: readonly string[]): void {
  const set = {
    format: 'Protocol Buffer 3 EnumDescriptorProto' as const,
    type: {},
    fileDescriptorProtos: filesOf(descriptorSet),
  };
  new ReflectionService({ set }, { services: [...services] }).addToServer(server);
}

function filesOf(bytes: Uint8Array): Buffer[] {
  const files: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== fileTag) throw new PosternError('config-invalid', 'the descriptor set is not one');
    at += 1;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at];
      if (byte === undefined || shift > 28) throw new PosternError('config-invalid', 'the descriptor set is cut short');
      at += 1;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (at + length > bytes.length) throw new PosternError('config-invalid', 'the descriptor set is cut short');
    files.push(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return files;
}
