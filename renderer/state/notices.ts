import { notifications } from '@mantine/notifications';
import { createElement } from 'react';
import type { HostError } from '../../electron/contract/hostError.ts';
import { NoticeText } from '../ui/NoticeText.tsx';

interface NoticeAction {
  readonly label: string;
  readonly run: () => void;
}

/** A notice with an `id` replaces the one that has it. */
export function notify(title: string, message: string, action?: NoticeAction, id?: string): void {
  if (id !== undefined) notifications.hide(id);
  notifications.show({
    ...(id === undefined ? {} : { id }),
    title,
    message: createElement(NoticeText, { message, ...(action === undefined ? {} : { action }) }),
    color: 'indigo',
    autoClose: 5000,
  });
}

/** Stays until it is closed: what happened, what to do, and a detail to copy. */
export function notifyError(title: string, error: HostError): void {
  notifications.show({
    title,
    message: createElement(NoticeText, {
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.detail === undefined ? {} : { detail: error.detail }),
    }),
    color: 'red',
    autoClose: false,
    withBorder: true,
  });
}

export const dismiss = (id: string): void => {
  notifications.hide(id);
};

/** A new run makes what was said about earlier ones old news. */
export const dismissAll = (): void => {
  notifications.clean();
};
