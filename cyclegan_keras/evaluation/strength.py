"""Whether translations arrive: the share of them that a classifier takes for the target domain."""

import dataclasses
from typing import Any, Literal

import numpy as np

from cyclegan_keras.evaluation.features import Features

# Below this share of real test images told right, what the classifier says of translations is not
# worth much.
MIN_ACCURACY = 0.8

# The strengths of regularisation that are tried, from nearly all to nearly none.
INVERSE_PENALTIES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
NUM_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Strength:
    """How many translations are taken for the other domain, and how far that can be trusted.

    Attributes:
        extractor: The name of the feature space.
        accuracy_A: The share of real test images of A that the classifier takes for A.
        accuracy_B: The share of those of B that it takes for B.
        share_AB: The share of translations of A that it takes for B; `None` if there were none. A
            perfect translator has about `accuracy_B`, one that does nothing `1 - accuracy_A`.
        share_BA: The share of translations of B that it takes for A, likewise.
        num_train_A: Real images of A that the classifier learned from.
        num_train_B: Those of B.
        num_test_A: Real test images of A.
        num_test_B: Those of B.
        num_AB: Translations of A.
        num_BA: Translations of B.
    """

    extractor: str
    accuracy_A: float
    accuracy_B: float
    share_AB: float | None
    share_BA: float | None
    num_train_A: int
    num_train_B: int
    num_test_A: int
    num_test_B: int
    num_AB: int
    num_BA: int

    @property
    def is_reliable(self) -> bool:
        """Whether at least 80 % of the real test images of each domain were told right."""
        return min(self.accuracy_A, self.accuracy_B) >= MIN_ACCURACY


class DomainClassifier:
    """Tells A from B by features: logistic regression on standardised ones.

    How much it is regularised is chosen by cross-validation. It sees training images only, and both
    domains weigh the same, however many images they have. The same images in the same order make
    the same classifier.

    Args:
        train_A: Features of real training images of A, at least 2.
        train_B: Those of B, of the same extractor, at least 2.
        seed: Of the division into parts for cross-validation.

    Raises:
        ValueError: If the extractors differ, there are too few images, or scikit-learn is not
            installed.
    """

    def __init__(self, train_A: Features, train_B: Features, seed: int = 0) -> None:
        self.extractor = train_A.extractor
        self._check(train_B)
        if min(len(train_A), len(train_B)) < 2:
            raise ValueError(
                "Each domain must have at least 2 training images. "
                f"Received: {len(train_A)} of A and {len(train_B)} of B"
            )
        self.num_A, self.num_B = len(train_A), len(train_B)
        values = np.concatenate([train_A.values, train_B.values]).astype(np.float64)
        is_B = np.repeat([False, True], [self.num_A, self.num_B])
        num_folds = min(NUM_FOLDS, self.num_A, self.num_B)
        self._model = _search(num_folds, seed).fit(values, is_B)

    def share_of(self, domain: Literal["A", "B"], features: Features) -> float:
        """Says how many images it takes for one domain.

        Args:
            domain: `"A"` or `"B"`.
            features: Of the extractor that it was trained with.

        Returns:
            A share in [0, 1].

        Raises:
            ValueError: If they are of another extractor, or there is no such domain.
        """
        if domain not in ("A", "B"):
            raise ValueError(f'`domain` must be "A" or "B". Received: domain={domain!r}')
        self._check(features)
        is_B = self._model.predict(features.values.astype(np.float64))
        return float(np.mean(is_B == (domain == "B")))

    def _check(self, features: Features) -> None:
        if features.extractor != self.extractor:
            raise ValueError(
                f"The classifier looks at features of {self.extractor!r}. Make all with that "
                f"extractor. Received: features of {features.extractor!r}"
            )


def _search(num_folds: int, seed: int) -> Any:
    try:
        from sklearn import linear_model, model_selection, pipeline, preprocessing
    except ImportError as error:
        raise ValueError(
            "Measuring strength needs scikit-learn, which is not there. "
            'Install it: pip install "cyclegan-keras[evaluation]"'
        ) from error
    # Standardised anew in each part, so that what is held back for a check stays unseen.
    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(),
        linear_model.LogisticRegression(class_weight="balanced", max_iter=1000),
    )
    folds = model_selection.StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    choices = {"logisticregression__C": INVERSE_PENALTIES}
    return model_selection.GridSearchCV(model, choices, scoring="neg_log_loss", cv=folds)


def strength(
    classifier: DomainClassifier,
    test_A: Features,
    test_B: Features,
    fake_B: Features | None = None,
    fake_A: Features | None = None,
) -> Strength:
    """Measures how many translations are taken for the domain that they were meant for.

    Args:
        classifier: Trained on real training images of both domains.
        test_A: Features of real test images of A, none of them trained on.
        test_B: Those of B.
        fake_B: Features of translations of A, or `None`.
        fake_A: Features of translations of B, or `None`.

    Returns:
        Shares, accuracies and counts. See `Strength.is_reliable`.

    Raises:
        ValueError: If features are of another extractor than the classifier's.
    """
    return Strength(
        extractor=classifier.extractor,
        accuracy_A=classifier.share_of("A", test_A),
        accuracy_B=classifier.share_of("B", test_B),
        share_AB=None if fake_B is None else classifier.share_of("B", fake_B),
        share_BA=None if fake_A is None else classifier.share_of("A", fake_A),
        num_train_A=classifier.num_A,
        num_train_B=classifier.num_B,
        num_test_A=len(test_A),
        num_test_B=len(test_B),
        num_AB=0 if fake_B is None else len(fake_B),
        num_BA=0 if fake_A is None else len(fake_A),
    )
