import { podman } from '../support/clients.ts';
import { storageClient } from './storageClient.ts';

storageClient('podman', podman);
