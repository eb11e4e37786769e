"""The target-domain classification rate: the share of translations classified as the target domain.

A perfect generator reaches about the classifier's accuracy on real images of the target domain; one
that changes nothing, the share of real images of the source domain that are misclassified.
"""

from typing import Any, Literal

import numpy as np

from cyclegan_keras import _extras
from cyclegan_keras.metrics.features import Features

# The candidates for cross-validation, from strong to hardly any regularization.
INVERSE_PENALTIES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
NUM_FOLDS = 5
# Log-odds nearer to 0 than this are rounding.
UNDECIDED = 1e-9


class DomainClassifier:
    """A classifier of domains: logistic regression on standardized features.

    Cross-validation chooses the regularization. Both domains have the same weight, whatever their
    numbers of images. The same images in the same order give the same classifier.

    Args:
        train_A: Features of real training images of A, at least 2.
        train_B: Features of real training images of B, from the same extractor, at least 2.
        seed: For the folds of the cross-validation.

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
        """Computes the share of images that are classified as one domain.

        Args:
            domain: `"A"` or `"B"`.
            features: Of the images, from the extractor of the training features.

        Returns:
            A share in [0, 1]; an image with equal probabilities counts half.

        Raises:
            ValueError: If the features are of another extractor, or `domain` is unknown.
        """
        if domain not in ("A", "B"):
            raise ValueError(f'`domain` must be "A" or "B". Received: domain={domain!r}')
        self._check(features)
        leanings = self._model.decision_function(features.values.astype(np.float64))
        # Undecided images, such as those that both domains contain, count half for each.
        shares_B = np.where(np.abs(leanings) < UNDECIDED, 0.5, leanings > 0)
        return float(np.mean(shares_B if domain == "B" else 1 - shares_B))

    def _check(self, features: Features) -> None:
        if features.extractor != self.extractor:
            raise ValueError(
                f"All features must come from the extractor {self.extractor!r}, as the first ones "
                f"did. Received: features of {features.extractor!r}"
            )


def _search(num_folds: int, seed: int) -> Any:
    try:
        from sklearn import linear_model, model_selection, pipeline, preprocessing
    except ImportError as error:
        raise ValueError(
            "The target-domain classification rate needs scikit-learn. Install it: "
            f"{_extras.advice('evaluation')}"
        ) from error
    # Standardized within each fold, so that its validation images stay unseen.
    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(),
        linear_model.LogisticRegression(class_weight="balanced", max_iter=1000),
    )
    folds = model_selection.StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    choices = {"logisticregression__C": INVERSE_PENALTIES}
    return model_selection.GridSearchCV(model, choices, scoring="neg_log_loss", cv=folds)
