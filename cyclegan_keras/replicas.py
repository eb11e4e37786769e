"""A step on several devices: what each replica takes of a batch, and how replicas meet.

Each replica computes with its own rows of the batch; all else is the same on all of them: weights,
random numbers, image pools. So the same batch gives the same weights, up to rounding, on one device
and on several. On one device, nothing here does anything.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops


@dataclasses.dataclass(frozen=True)
class Share:
    """What one replica takes of a batch.

    A batch with fewer images than there are replicas goes whole to each of them.

    Args:
        index: The number of the replica, from zero.
        num_replicas: How many there are.
        num_images: Images in the whole batch.
    """

    index: int
    num_replicas: int
    num_images: int

    @property
    def is_whole(self) -> bool:
        """Whether each replica takes all images."""
        return self.num_images < self.num_replicas

    @property
    def start(self) -> int:
        """The first image that it takes."""
        return 0 if self.is_whole else self.index * self.num_images // self.num_replicas

    @property
    def stop(self) -> int:
        """The image behind its last one."""
        if self.is_whole:
            return self.num_images
        return (self.index + 1) * self.num_images // self.num_replicas

    @property
    def weight(self) -> float:
        """Its part of a mean over all images."""
        if self.is_whole:
            return 1.0 / self.num_replicas
        return (self.stop - self.start) / self.num_images

    @property
    def excess(self) -> float:
        """How many times as large it is as an equal share."""
        return self.weight * self.num_replicas


_of_thread = threading.local()


def share() -> Share | None:
    """What this replica takes of the batch; `None` outside a step on several replicas."""
    return getattr(_of_thread, "share", None)


@contextlib.contextmanager
def taking(taken: Share) -> Iterator[None]:
    """Runs one replica's step inside.

    Args:
        taken: What the replica takes. Each replica runs in a thread of its own.

    Yields:
        Nothing.
    """
    _of_thread.share, _of_thread.met = taken, None
    try:
        yield
    finally:
        del _of_thread.share, _of_thread.met


@contextlib.contextmanager
def whole_batch() -> Iterator[None]:
    """Computes with the whole batch inside, as each replica does for what all have in common.

    Yields:
        Nothing. What is drawn inside is drawn as on one device.
    """
    taken = share()
    _of_thread.share = None
    try:
        yield
    finally:
        _of_thread.share = taken


def of_replica(context: Any, num_images: int) -> Share:
    """Says what the replica of a context takes.

    Args:
        context: A `tf.distribute.ReplicaContext`, or a `ValueContext`.
        num_images: Images in the whole batch.

    Returns:
        Its share.
    """
    index = context.replica_id_in_sync_group
    # While a step is traced, this is a constant tensor.
    index = index if isinstance(index, int) else int(tf.get_static_value(index))
    return Share(index, context.num_replicas_in_sync, num_images)


def gathered(imgs: Any) -> Any:
    """Collects the rows of all replicas.

    Args:
        imgs: What this replica has made of its rows, `(rows, ...)`.

    Returns:
        What all have made of the whole batch, in its order.
    """
    taken = share()
    if taken is None or taken.is_whole:
        return imgs
    # A sum to which each replica adds its rows and zeros: TensorFlow's `all_gather` wants a graph.
    whole = tf.pad(imgs, _margins(taken, imgs.shape))
    whole = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, whole)
    return tf.ensure_shape(whole, (taken.num_images, *imgs.shape[1:]))


def _margins(taken: Share, shape: Any) -> list[list[int]]:
    """The rows of the other replicas, above and below one's own."""
    return [[taken.start, taken.num_images - taken.stop], *([0, 0] for _ in shape[1:])]


def own_rows(whole: Any) -> Any:
    """Cuts this replica's rows out of something that is made for the whole batch.

    Args:
        whole: `(images, ...)`, or several batches behind each other.

    Returns:
        `(rows, ...)`.
    """
    taken = share()
    if taken is None or taken.is_whole:
        return whole
    rest = whole.shape[1:]
    batches = tf.reshape(whole, (-1, taken.num_images, *rest))
    return tf.reshape(batches[:, taken.start : taken.stop], (-1, *rest))


def rows_in_all(num_rows: Any) -> Any:
    """Counts the rows of the whole batch that correspond to those of this replica.

    Args:
        num_rows: What this replica has: the rows of one batch, or of several behind each other.

    Returns:
        The number; what was given, outside a step on several replicas.
    """
    taken = share()
    if taken is None or taken.is_whole:
        return num_rows
    return num_rows // (taken.stop - taken.start) * taken.num_images


def mean_over_all(values: Sequence[Any]) -> list[Any]:
    """Computes means over the whole batch of means over the rows of each replica.

    A loss may be computed from these: its gradient by what a replica has given, averaged over all
    replicas as gradients are, is then that of the mean of all replicas' losses.

    Args:
        values: Tensors, each a mean over this replica's rows, or the gradient of one; or `None`.

    Returns:
        As many tensors, the same on all replicas; `None` where there was none. What a loss does not
        depend on may have a gradient of zeros by it, not `None`.
    """
    taken = share()
    given = [value for value in values if value is not None]
    if taken is None or not given:
        return list(values)
    weight = taken.weight

    @tf.custom_gradient
    def means(met_before: Any, *values: Any) -> Any:
        weighted = [value * tf.constant(weight, value.dtype) for value in values]
        context = tf.distribute.get_replica_context()
        # TensorFlow's gradient is a sum, which takes all replicas to have equal shares.
        reduced = context.all_reduce(tf.distribute.ReduceOp.SUM, weighted)
        return (tf.identity(met_before), *reduced), means_of_gradients

    def means_of_gradients(met_later: Any, *gradients: Any) -> list[Any]:
        return [met_later, *mean_over_all(gradients)]

    # Who takes what the one before gives is differentiated before it. So replicas meet in the same
    # order there, too, whatever operations a tape has in between: those of one row are others than
    # those of two. Without it, one replica's mean would be added to another's variance.
    before = tf.zeros(()) if _of_thread.met is None else _of_thread.met
    _of_thread.met, *found = means(before, *given)
    remaining = iter(found)
    return [None if value is None else next(remaining) for value in values]


@contextlib.contextmanager
def unrecorded(tape: tf.GradientTape) -> Iterator[None]:
    """Lets a tape record nothing inside, as `tape.stop_recording` does.

    Args:
        tape: It records what comes before and after.

    Yields:
        Nothing. What is inside may be differentiated by tapes of its own.
    """
    before = getattr(_of_thread, "met", None)
    with tape.stop_recording():
        yield
    if share() is not None:
        # The tape knows nothing of where replicas have met inside.
        _of_thread.met = before


@contextlib.contextmanager
def undone_unless(condition: Any, variables: Sequence[Any]) -> Iterator[None]:
    """Takes back what happens to variables inside, unless a condition holds.

    That is what becomes of a `tf.cond` in which replicas meet, which TensorFlow does not let them.

    Args:
        condition: A scalar, the same on all replicas.
        variables: Of Keras.

    Yields:
        Nothing.
    """
    before = [tf.identity(variable.value) for variable in variables]
    yield
    for variable, value in zip(variables, before, strict=True):
        variable.assign(tf.where(condition, variable.value, value))


def undivided(loss: Any) -> Any:
    """Undoes that Keras divides a mean by the number of replicas, which assumes equal shares.

    Args:
        loss: From `compute_loss`, or a `keras.losses.Loss`.

    Returns:
        The mean over this replica's rows.
    """
    taken = share()
    # By the very number that Keras multiplies with, which is rounded to float32.
    return loss if taken is None else loss / ops.cast(1.0 / taken.num_replicas, loss.dtype)


class _PerThread(threading.local):
    """An attribute that each thread, and so each replica, has for itself."""

    def __init__(self) -> None:
        self.values: dict[int, Any] = {}

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.values.get(id(instance))

    def __set__(self, instance: Any, value: Any) -> None:
        if value is None:
            self.values.pop(id(instance), None)
        else:
            self.values[id(instance)] = value


def per_replica() -> Any:
    """Makes an attribute of a class that each replica has for itself during a step.

    Returns:
        A descriptor, whose value is `None` until it is set; set it to `None` to forget it.
    """
    return _PerThread()


@contextlib.contextmanager
def layers_see_the_whole_batch(models: Iterable[keras.Model]) -> Iterator[None]:
    """Lets layers treat the rows of a replica as they would treat them in the whole batch.

    Layers such as `Dropout` draw for the whole batch, of which each replica takes its rows.
    `BatchNormalization` takes mean and variance of the whole batch, and its gradients may be
    differentiated again, on one device as well.

    Args:
        models: Models with such layers in them, or without.

    Yields:
        Nothing; trace the step inside.
    """
    layers = {id(one): one for model in models for one in model._flatten_layers()}
    changed = []
    for layer in layers.values():
        if isinstance(_generator_of(layer), _SeedGenerator):
            changed.append((layer, "call", _on_whole_batch(layer.call)))
        if isinstance(layer, keras.layers.BatchNormalization):
            changed.append((layer, "_moments", _of_whole_batch(layer)))
    before = [vars(layer).get(name) for layer, name, _ in changed]
    for layer, name, method in changed:
        # Not by `setattr`: Keras would track it.
        object.__setattr__(layer, name, method)
    try:
        yield
    finally:
        for (layer, name, _), method in zip(changed, before, strict=True):
            if method is None:
                object.__delattr__(layer, name)
            else:
                object.__setattr__(layer, name, method)


_SeedGenerator = keras.random.SeedGenerator


def _generator_of(layer: Any) -> Any:
    return getattr(layer, "seed_generator", None)


def _on_whole_batch(call: Callable[..., Any]) -> Callable[..., Any]:
    def call_on_whole_batch(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        taken = share()
        if taken is None or taken.is_whole:
            return call(inputs, *args, **kwargs)
        # What these layers draw depends on the shape alone, so other rows may be anything.
        batches = tf.reshape(inputs, (-1, taken.stop - taken.start, *inputs.shape[1:]))
        margins = [[0, 0], *_margins(taken, inputs.shape)]
        padded = tf.reshape(tf.pad(batches, margins), (-1, *inputs.shape[1:]))
        outputs = own_rows(call(padded, *args, **kwargs))
        return tf.ensure_shape(outputs, inputs.shape)

    return call_on_whole_batch


def _of_whole_batch(norm: keras.layers.BatchNormalization) -> Callable[..., tuple[Any, Any]]:
    moments = norm._moments

    def moments_of_whole_batch(inputs: Any, mask: Any) -> tuple[Any, Any]:
        if mask is not None:
            if share() is None:
                return moments(inputs, mask)
            raise NotImplementedError("Masks are not known on several devices.")
        axes = norm._reduction_axes
        (mean,) = mean_over_all([ops.mean(inputs, axis=axes)])
        places = [1 if axis in axes else -1 for axis in range(len(inputs.shape))]
        # TensorFlow's moments take the mean for a constant here. That is right for a gradient, and
        # wrong for the gradient of one, as of a penalty on slopes.
        distances = inputs - ops.reshape(mean, places)
        (variance,) = mean_over_all([ops.mean(ops.square(distances), axis=axes)])
        return mean, variance

    return moments_of_whole_batch
