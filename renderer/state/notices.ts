import type { HostError } from '../../electron/contract/hostError.ts';

export interface NoticeAction {
  readonly label: string;
  readonly run: () => void;
}

export interface Notice {
  /** A notice with an `id` replaces the one that has it. */
  readonly id?: string;
  readonly title: string;
  readonly message: string;
  readonly hint?: string;
  readonly detail?: string;
  readonly action?: NoticeAction;
  /** An error stays until it is closed. */
  readonly isError: boolean;
}

/** Shows notices; the frame installs one (`frame/noticeBoard.ts`), tests install theirs. */
export interface NoticeBoard {
  show(notice: Notice): void;
  hide(id: string): void;
  clear(): void;
}

let board: NoticeBoard | undefined;

export function installNotices(installed: NoticeBoard): void {
  board = installed;
}

export function notify(title: string, message: string, action?: NoticeAction, id?: string): void {
  board?.show({
    title,
    message,
    isError: false,
    ...(action === undefined ? {} : { action }),
    ...(id === undefined ? {} : { id }),
  });
}

/** What happened, what to do, and a detail to copy. */
export function notifyError(title: string, { message, hint, detail }: HostError): void {
  board?.show({
    title,
    message,
    isError: true,
    ...(hint === undefined ? {} : { hint }),
    ...(detail === undefined ? {} : { detail }),
  });
}

export const dismiss = (id: string): void => board?.hide(id);

/** Removes every notice: a new run makes those of earlier runs obsolete. */
export const dismissAll = (): void => board?.clear();
