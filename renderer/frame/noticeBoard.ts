import { notifications } from '@mantine/notifications';
import { createElement } from 'react';
import type { NoticeBoard } from '../state/notices.ts';
import { NoticeText } from '../ui/NoticeText.tsx';

/** Notices in the corner of the window. */
export const noticeBoard: NoticeBoard = {
  show: ({ id, title, isError, ...text }) => {
    if (id !== undefined) notifications.hide(id);
    notifications.show({
      ...(id === undefined ? {} : { id }),
      title,
      message: createElement(NoticeText, text),
      color: isError ? 'red' : 'indigo',
      autoClose: isError ? false : 5000,
      withBorder: isError,
    });
  },
  hide: (id) => {
    notifications.hide(id);
  },
  clear: () => {
    notifications.clean();
  },
};
