import { Button } from '@mantine/core';
import { Component, type ReactNode } from 'react';
import type { HostError } from '../../electron/contract/hostError.ts';
import { errorOf } from '../state/hostClient.ts';
import { ErrorState } from './EmptyState.tsx';

interface ErrorBoundaryProps {
  readonly children: ReactNode;
}

/** A view that throws leaves the rest of the window standing. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, { readonly error: HostError | undefined }> {
  override state: { readonly error: HostError | undefined } = { error: undefined };

  static getDerivedStateFromError(thrown: unknown) {
    return { error: errorOf(thrown) };
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <ErrorState title="This view could not be drawn" error={error}>
        <Button size="xs" onClick={() => this.setState({ error: undefined })}>
          Try again
        </Button>
        <Button size="xs" variant="default" onClick={() => window.location.reload()}>
          Reload the window
        </Button>
      </ErrorState>
    );
  }
}
